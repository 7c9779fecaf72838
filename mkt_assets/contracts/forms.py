"""What values that are keys look like, by the name that a contract gives their form.

A column of keys looks to any pattern like a column of hashes of persons. So it says in its contract
which form its values have, and the scan holds every value against that form. What stays out: which
column has which form (the contracts and dbt's YAML), and the scan itself.
"""

from __future__ import annotations

from typing import Final

_UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

#: form -> what the whole value must be, in the words of both RE2 and Python
FORMS: Final[dict[str, str]] = {
    "pseudonym": "[0-9a-f]{64}",
    "sha256": "[0-9a-f]{64}",
    "md5": "[0-9a-f]{32}",
    "build": "[0-9a-f]{16}",
    "creative": "cr-[0-9a-f]{16}",
    "lineage": "ln_[0-9a-f]{32}",
    # a node of the dbt project, tests with a hash of their arguments
    "node": r"(?:model|seed|source|test|unit_test)\.[A-Za-z0-9_.]+",
    "uuid": _UUID,
}

#: text of machines: a long number is an article or an order there, unless it is a card's
CODE: Final = "code"
#: a code, or what stands in for one: for a blank order number, or for one that was personal
ORDER: Final = "order"
#: a JSON object as text: its texts are read, its numbers are numbers
JSON: Final = "json"

#: form -> what may stand in a column of this form beside text that is scanned
STAND_INS: Final[dict[str, str]] = {ORDER: r"txn_[0-9a-f]{32}|\[redacted\]-[0-9a-f]{16}"}

#: every form that a contract may name; a column that names none is prose
KNOWN: Final = frozenset({*FORMS, CODE, ORDER, JSON})

#: the forms by which a person can be followed, though not named
PSEUDONYMS: Final = frozenset({"pseudonym"})

#: keys in JSON (payloads, metadata, the artifacts of dbt and Dagster) -> the form of their values
JSON_FORMS: Final[dict[str, str]] = {
    "build_id": "build",
    "creative_id": "creative",
    "idempotency_key": "sha256",
    "lineage_ids": "lineage",
    "invocation_id": "uuid",
    "run_id": "uuid",
    "unique_id": "node",
}
