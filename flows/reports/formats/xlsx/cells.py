"""Cells of a worksheet, as SQL that makes their XML.

A cell has the type of its column. What Excel can't hold as a number or a date stays whole as text:
NaN and infinity, numbers of more than 15 digits, days before March 1900. Text is never a formula: it
is stored as text, and if it starts like a formula it has the quote prefix, so that it stays text when
somebody edits the cell. Reads nothing, writes nothing.
"""

from psycopg2 import sql

from flows.reports.formats.formula_escaping import starts_formula
from flows.reports.formats.query.columns import Column, Kind
from flows.reports.formats.xlsx.styles import Styles

LONGEST_TEXT = 32_767
CUT_MARK = "\x03"
"""Stands in the stream behind a text that was cut; no XML has this character."""
REPLACED_MARK = "\x04"
"""The same behind a text whose control characters were replaced."""

_ILLEGAL = "".join(chr(code) for code in range(1, 32) if chr(code) not in "\t\n\r") + "\ufffe\uffff"
_SPECIAL = sql.Literal(r"[&<>=+@\u0001-\u001f\ufffe\uffff\uff1d\uff0b\uff0d\uff20-]")
_OPEN, _CLOSE = '<is><t xml:space="preserve">', "</t></is></c>"
_TEXT_CELL = f'<c t="inlineStr">{_OPEN}'

_NUMBER = """case when {cell} > {low} and {cell} < {high}
 then {open} || {cell} || '</v></c>' when {cell} is not null then {text} || {cell} || {close} else '<c/>' end"""
_DAY = """case when {cell} >= '1900-03-01' and {cell} < '10000-01-01'
 then {open} || {serial} || '</v></c>' when {cell} is not null then {text} || {cell} || {close} else '<c/>' end"""
_BOOLEAN = """case when {cell} then '<c t="b"><v>1</v></c>'
 when not {cell} then '<c t="b"><v>0</v></c>' else '<c/>' end"""
_TEXT = """case when {cell} is null then '<c/>'
 when {cell} ~ {special} or octet_length({cell}) > {longest} or {cell} like '%\\_x____\\_%'
 then '<c' || case when {formula} then {quoted} else '' end
  || ' t="inlineStr">' || {open} || {escaped} || {close} || {marks}
 else {text} || {cell} || {close} end"""
_CUT = """case when octet_length({cell}) > {longest} then left({cell}, {longest}
  - length(regexp_replace(left({cell}, {longest}), '[^\\U00010000-\\U0010ffff]', '', 'g')))
 else {cell} end"""
_ESCAPED = """replace(replace(replace(replace(replace(replace(translate(
 regexp_replace({cell}, '_(?=x[0-9A-Fa-f]{{4}}_)', '_x005F_', 'g'), {illegal}, {replacement}),
 '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), e'\\n', '&#10;'), e'\\r', '&#13;'), e'\\t', '&#9;')"""
_MARKS = """case when octet_length({cell}) > {longest} and length({cut}) < length({cell})
 then {cut_mark} else '' end || case when {cell} ~ {illegal} then {replaced_mark} else '' end"""

_BOUNDS = {
    Kind.INTEGER: ("-1000000000000000", "1000000000000000"),
    Kind.NUMERIC: ("-1000000000000000", "1000000000000000"),
    Kind.FLOAT: ("-9.99e307", "9.99e307"),
}
_SERIALS = {
    Kind.DATE: "{cell} - date '1899-12-30'",
    Kind.TIMESTAMP: "(date_part('epoch', {cell}) / 86400 + 25569)",
    Kind.INSTANT: "(date_part('epoch', {cell}::timestamp) / 86400 + 25569)",
}


def cell_xml(cell: sql.Identifier, column: Column, styles: Styles, *, raw: bool) -> sql.Composable:
    """An expression for the XML of a cell."""
    if column.kind in _BOUNDS:
        return _number(cell, column, styles)
    if column.kind in _SERIALS:
        return _day(cell, column, styles)
    if column.kind is Kind.BOOLEAN:
        return sql.SQL(_BOOLEAN).format(cell=cell)
    if column.kind is Kind.TIME:
        serial = sql.SQL("{} || (date_part('epoch', {}) / 86400) || '</v></c>'").format(
            _opened(styles.of(column)), cell
        )
        return sql.SQL("coalesce({}, '<c/>')").format(serial)
    return _text(cell, column, raw=raw)


def _opened(style: int) -> sql.Composable:
    return sql.Literal(f'<c s="{style}"><v>' if style else "<c><v>")


def _number(cell: sql.Identifier, column: Column, styles: Styles) -> sql.Composable:
    low, high = _BOUNDS[column.kind]
    return sql.SQL(_NUMBER).format(
        cell=cell,
        low=sql.SQL(low),
        high=sql.SQL(high),
        open=_opened(styles.of(column)),
        text=sql.Literal(_TEXT_CELL),
        close=sql.Literal(_CLOSE),
    )


def _day(cell: sql.Identifier, column: Column, styles: Styles) -> sql.Composable:
    return sql.SQL(_DAY).format(
        cell=cell,
        serial=sql.SQL(_SERIALS[column.kind]).format(cell=cell),
        open=_opened(styles.of(column)),
        text=sql.Literal(_TEXT_CELL),
        close=sql.Literal(_CLOSE),
    )


def _text(cell: sql.Identifier, column: Column, *, raw: bool) -> sql.Composable:
    value = cell if column.kind is Kind.TEXT else sql.SQL("{}::text").format(cell)
    longest = sql.Literal(LONGEST_TEXT)
    cut = sql.SQL(_CUT).format(cell=value, longest=longest)
    return sql.SQL(_TEXT).format(
        cell=value,
        special=_SPECIAL,
        longest=longest,
        formula=sql.SQL("false") if raw else starts_formula(value),
        quoted=sql.Literal(f' s="{Styles.QUOTED}"'),
        open=sql.Literal(_OPEN),
        escaped=_escaped(cut),
        close=sql.Literal(_CLOSE),
        marks=_marks(value, cut),
        text=sql.Literal(_TEXT_CELL),
    )


def _escaped(text: sql.Composable) -> sql.Composable:
    return sql.SQL(_ESCAPED).format(
        cell=text, illegal=sql.Literal(_ILLEGAL), replacement=sql.Literal("\ufffd" * len(_ILLEGAL))
    )


def _marks(value: sql.Composable, cut: sql.Composable) -> sql.Composable:
    return sql.SQL(_MARKS).format(
        cell=value,
        cut=cut,
        longest=sql.Literal(LONGEST_TEXT),
        cut_mark=sql.Literal(CUT_MARK),
        illegal=sql.Literal(r"[\u0001-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]"),
        replaced_mark=sql.Literal(REPLACED_MARK),
    )
