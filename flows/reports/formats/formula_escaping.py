"""Text that spreadsheets would take for a formula, and what makes it text again.

Reads nothing, writes nothing.
"""

import re

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


_PARTS = re.compile(rb'([;\t](?:[ "]|\xc2\xa0)*)(?=[=+\-@]|\xef\xbc[\x9d\x8b\x8d\xa0])')
"""Where Excel separates with ``;`` or a tab, a part of a text starts a cell; spaces and quotes may precede."""


def defused_parts(rows: bytes) -> bytes:
    """Whole rows of csv, with an apostrophe in front of each part of a text that starts like a formula.

    Only looks for the two separators where there are none: numbers and dates have none.
    """
    if b";" not in rows and b"\t" not in rows:
        return rows
    return _PARTS.sub(rb"\1'", rows)
