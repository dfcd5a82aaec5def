"""Escape text that spreadsheets would interpret as a formula.

Reads nothing, writes nothing.
"""

from psycopg2 import sql

FORMULA_PREFIXES = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""Including the full-width forms, which some spreadsheets treat alike."""

_CODES = sql.SQL(", ").join(sql.Literal(ord(character)) for character in FORMULA_PREFIXES)


def starts_formula(cell: sql.Composable) -> sql.Composable:
    """Return the SQL condition that a text starts like a formula."""
    return sql.SQL("ascii({}) in ({})").format(cell, _CODES)


def escape_formula(cell: sql.Composable) -> sql.Composable:
    """Return SQL for the cell as text, prefixed with an apostrophe if it starts like a formula."""
    text = sql.SQL("{}::text").format(cell)
    return sql.SQL("case when {} then '''' || {} else {} end").format(
        starts_formula(text), text, text
    )


def escape_formula_text(text: str) -> str:
    """Return a text, prefixed with an apostrophe if it starts like a formula."""
    return f"'{text}" if text.startswith(tuple(FORMULA_PREFIXES)) else text
