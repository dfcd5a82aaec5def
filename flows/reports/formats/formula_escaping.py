"""Text that spreadsheets would take for a formula, and what makes it text again.

Reads nothing, writes nothing.
"""

from psycopg2 import sql

FIRST_CHARACTERS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""Also the full-width forms, which some spreadsheets read as their narrow ones."""

_CODES = sql.SQL(", ").join(sql.Literal(ord(character)) for character in FIRST_CHARACTERS)


def starts_formula(cell: sql.Composable) -> sql.Composable:
    """Condition: the text starts like a formula."""
    return sql.SQL("ascii({}) in ({})").format(cell, _CODES)


def defused(cell: sql.Composable) -> sql.Composable:
    """The cell as text, with an apostrophe in front if it starts like a formula."""
    text = sql.SQL("{}::text").format(cell)
    return sql.SQL("case when {} then '''' || {} else {} end").format(
        starts_formula(text), text, text
    )


def defused_name(name: str) -> str:
    """The same for a text that is here."""
    return f"'{name}" if name.startswith(tuple(FIRST_CHARACTERS)) else name
