"""Errors that a user can act on: what was wrong, where, and what to do."""

from __future__ import annotations


class MktError(Exception):
    """Any refusal by this platform; the command line prints it and exits with 1."""


class PassingError(MktError):
    """A source could not be read for a reason that may be gone in a minute."""


class InputError(MktError):
    """An input was refused.

    The message names the file, and where known the row (1 is the first data row), the column,
    the value and the remedy. ``value`` must not be given for columns that may hold personal data.
    """

    def __init__(  # noqa: PLR0913  the parts of a message, all but one by name
        self,
        problem: str,
        *,
        file: object = None,
        row: int | None = None,
        column: str | None = None,
        value: object = None,
        remedy: str = "",
    ) -> None:
        self.problem, self.file, self.row, self.column = problem, file, row, column
        self.value, self.remedy = value, remedy
        where = [
            f"{label} {thing}"
            for label, thing in (("file", file), ("row", row), ("column", column))
            if thing is not None
        ]
        if value is not None:
            where.append(f"value {value!r}")
        place = f" ({', '.join(where)})" if where else ""
        super().__init__(f"{problem}{place}." + (f" {remedy}" if remedy else ""))
