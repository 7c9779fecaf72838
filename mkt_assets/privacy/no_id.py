"""How exports spell an identifier that is not there; what stays out: what becomes of such rows.

Taken at its word, one of these would make one visitor of all strangers. The list is documented in
docs/privacy-policy-and-lineage.md: a word more here is a line more there.
"""

from __future__ import annotations

from typing import Final

WORDS: Final = frozenset(
    {
        "",
        "(none)",
        "(not set)",
        "(null)",
        "<null>",
        "\\n",  # PostgreSQL's and Hive's null, \N
        "anonymous",
        "false",
        "n/a",
        "nan",
        "nil",
        "none",
        "null",
        "undefined",
        "unknown",
        "unset",
    }
)
#: zeros, whatever parts them, and dashes: 0, 0.0, -, the UUID of zeros
_NOTHING: Final = "[0.-]+"


def is_id_sql(expression: str) -> str:
    """Whether a VARCHAR expression is an identifier; false where it is null."""
    word = f"lower(trim({expression}))"
    words = ", ".join(f"'{one}'" for one in sorted(WORDS))
    return (
        f"coalesce({word} not in ({words}) and not regexp_full_match({word}, '{_NOTHING}'), false)"
    )
