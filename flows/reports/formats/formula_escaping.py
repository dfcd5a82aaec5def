"""Escape text that spreadsheets would interpret as a formula.

Reads nothing, writes nothing.
"""

import re

from psycopg2 import sql

FORMULA_PREFIXES = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""Including the full-width forms, which some spreadsheets treat alike."""

_CODES = sql.SQL(", ").join(sql.Literal(ord(character)) for character in FORMULA_PREFIXES)


def starts_formula(cell: sql.Composable) -> sql.Composable:
    """Return the SQL condition that a text starts like a formula."""
    return sql.SQL("ascii({}) in ({})").format(cell, _CODES)


def escape_formula(text: sql.Composable) -> sql.Composable:
    """Return SQL for a text, prefixed with an apostrophe if it starts like a formula."""
    return sql.SQL("case when {} then '''' || {} else {} end").format(
        starts_formula(text), text, text
    )


def escape_formula_text(text: str) -> str:
    """Return a text, prefixed with an apostrophe if it starts like a formula."""
    return f"'{text}" if text.startswith(tuple(FORMULA_PREFIXES)) else text


_PARTS = re.compile(rb'([;\t](?:[ "]|\xc2\xa0)*)(?=[=+\-@]|\xef\xbc[\x9d\x8b\x8d\xa0])')
"""Parts of a text: where Excel separates with ``;`` or a tab, a part of a text starts a cell; spaces and quotes may precede."""


def escape_formula_parts(rows: bytes) -> bytes:
    """Return whole rows of csv, with an apostrophe before each part of a text that starts like a formula.

    Rows without the two separators, such as those of numbers and dates, are only searched for them.
    """
    if b";" not in rows and b"\t" not in rows:
        return rows
    return _PARTS.sub(rb"\1'", rows)
