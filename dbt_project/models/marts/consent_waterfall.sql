with ledger as (
    select
        table_name,
        partition,
        lineage_id,
        rows_kept,
        rows_dropped_consent,
        rows_cookieless,
        rows_duplicate,
        rows_quarantined,
        rows_erased,
        reasons
    from {{ ref('lineage_ledger') }}
),

reasons as (
    {{ each_count('ledger', ['table_name', 'partition', 'lineage_id'], 'reasons', key='reason', value='amount') }}
),

folded as (
    select
        table_name,
        partition,
        lineage_id,
        amount
    from reasons
    where reason = 'folded'
),

fates as (
    select
        ledger.table_name,
        ledger.partition,
        ledger.lineage_id,
        'kept' as fate,
        'kept' as reason,
        ledger.rows_kept - coalesce(folded.amount, 0) as row_count
    from ledger
    left join folded
        on
            ledger.lineage_id = folded.lineage_id
            and ledger.table_name = folded.table_name
            and ledger.partition is not distinct from folded.partition
    union all
    select
        table_name,
        partition,
        lineage_id,
        'cookieless' as fate,
        'cookieless' as reason,
        rows_cookieless as row_count
    from ledger
    union all
    select
        table_name,
        partition,
        lineage_id,
        'duplicate' as fate,
        'duplicate' as reason,
        rows_duplicate as row_count
    from ledger
    union all
    select
        table_name,
        partition,
        lineage_id,
        'erased' as fate,
        'erased' as reason,
        rows_erased as row_count
    from ledger
    union all
    select
        table_name,
        partition,
        lineage_id,
        case
            when reason = 'folded' then 'kept'
            when
                reason in (
                    'consent_denied',
                    'consent_unset',
                    'no_ad_consent',
                    'grant_too_old',
                    'withdrawn_by_another_holder'
                ) then 'dropped_consent'
            else 'quarantined'
        end as fate,
        reason,
        amount as row_count
    from reasons
    where reason not in ('cookieless', 'folded_cookieless', 'duplicate', 'erased')
)

select
    table_name,
    partition,
    fate,
    reason,
    cast(sum(row_count) as bigint) as row_count,
    {{ lineage_list('lineage_id') }} as lineage_ids
from fates
group by table_name, partition, fate, reason
-- a partition from which nothing was kept, or nothing came, says so
having sum(row_count) > 0 or reason = 'kept'
order by table_name, partition, fate, reason
