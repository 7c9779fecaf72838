select
    ledger.lineage_id,
    ledger.table_name,
    ledger.partition,
    ledger.source_uri,
    ledger.source_bytes,
    ledger.source_sha256,
    ledger.rows_in,
    ledger.rows_kept,
    ledger.rows_dropped_consent,
    ledger.rows_cookieless,
    ledger.rows_duplicate,
    ledger.rows_quarantined,
    ledger.rows_erased,
    ledger.reasons,
    ledger.new_parameters,
    ledger.policy_version,
    ledger.consent_basis,
    ledger.key_id,
    ledger.code_version,
    ledger.run_id,
    ledger.processed_at
from {{ lake_table('lineage_ledger') }} as ledger
order by ledger.table_name, ledger.partition, ledger.lineage_id
