"""Cells of a worksheet, as SQL that produces their XML.

A cell has the type of its column. What Excel can't hold as a number or a date is stored as text: NaN and
infinity, numbers of more than 15 digits, days before March 1900, 24:00. Only digits after the sixth decimal
are rounded away, such as those of an average. Text is never a formula: it is stored as
text, and if it starts like a formula it has the quote prefix, so that it stays text when the cell is
edited. Reads nothing, writes nothing.
"""

from psycopg2 import sql

from flows.reports.formats.formula_escaping import starts_formula
from flows.reports.formats.query.columns import Column, ColumnKind, printed_text
from flows.reports.formats.xlsx.styles import Styles

MAX_TEXT_LENGTH = 32_767
MAX_DIGITS = 15
TRUNCATED_MARK = "\x03"
"""Follows a truncated text in the stream; XML never has this character."""
REPLACED_MARK = "\x04"
"""Follows a text whose control characters were replaced."""

_ILLEGAL = "".join(chr(code) for code in range(1, 32) if chr(code) not in "\t\n\r") + "\ufffe\uffff"
_SPECIAL = sql.Literal(r"[&<>=+@\u0001-\u001f\ufffe\uffff\uff1d\uff0b\uff0d\uff20-]")
_OPEN, _CLOSE = '<is><t xml:space="preserve">', "</t></is></c>"
_TEXT_CELL = f'<c t="inlineStr">{_OPEN}'

_NUMBER = """case when {cell} > {low} and {cell} < {high}{exact}
 then {open} || {cell} || '</v></c>' when {cell} is not null then {text} || {cell} || {close} else '<c/>' end"""
_EXACT = """ and ({bare_cell} < 1e9 and {bare_cell} > -1e9 or scale(trim_scale({bare_cell})) > 6
 or abs({bare_cell}) * 10::numeric ^ scale(trim_scale({bare_cell})) < 1e15)"""
_TIME = """case when {cell} < '24:00' then {open} || trim_scale(round(extract(epoch from {cell})::numeric / 86400, 12)) || '</v></c>'
 when {cell} is not null then {text} || {cell} || {close} else '<c/>' end"""
_DATE = """case when {cell} >= '1900-03-01' and {cell} < '10000-01-01'
 then {open} || {serial} || '</v></c>' when {cell} is not null then {text} || {cell} || {close} else '<c/>' end"""
_BOOLEAN = """case when {cell} then '<c t="b"><v>1</v></c>'
 when not {cell} then '<c t="b"><v>0</v></c>' else '<c/>' end"""
_TEXT = """case when {cell} is null then '<c/>'
 when {cell} ~ {special} or octet_length({cell}) > {max_length} or {cell} like '%\\_x____\\_%'
 then '<c' || case when {formula} then {quoted} else {plain} end
  || ' t="inlineStr">' || {open} || {escaped} || {close} || {marks}
 else {text} || {cell} || {close} end"""
_TRUNCATED = """case when octet_length({cell}) > {max_length} then left({cell}, {max_length}
  - length(regexp_replace(left({cell}, {max_length}), '[^\\U00010000-\\U0010ffff]', '', 'g')))
 else {cell} end"""
_ESCAPED = """replace(replace(replace(replace(replace(replace(translate(
 regexp_replace({cell}, '_(?=x[0-9A-Fa-f]{{4}}_)', '_x005F_', 'g'), {illegal}, {replacement}),
 '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), e'\\n', '&#10;'), e'\\r', '&#13;'), e'\\t', '&#9;')"""
_MARKS = """case when octet_length({cell}) > {max_length} and length({truncated}) < length({cell})
 then {truncated_mark} else '' end || case when {cell} ~ {illegal} then {replaced_mark} else '' end"""

_BOUNDS = {
    ColumnKind.INTEGER: ("-1000000000000000", "1000000000000000"),
    ColumnKind.NUMERIC: ("-1000000000000000", "1000000000000000"),
    ColumnKind.MONEY: ("-1000000000000", "1000000000000"),
    ColumnKind.FLOAT: ("-9.99e307", "9.99e307"),
}
_CASTS = {
    ColumnKind.INTEGER: "bigint",
    ColumnKind.MONEY: "numeric",
}  # oid has no signs, money no digits
_SERIALS = {
    ColumnKind.DATE: "{cell} - date '1899-12-30'",
    ColumnKind.TIMESTAMP: "trim_scale(round(extract(epoch from {cell})::numeric / 86400 + 25569, 12))",
    ColumnKind.INSTANT: (
        "trim_scale(round(extract(epoch from {cell}::timestamp)::numeric / 86400 + 25569, 12))"
    ),
}


def cell_xml(cell: sql.Identifier, column: Column, styles: Styles, *, raw: bool) -> sql.Composable:
    """Return an SQL expression for the XML of a cell."""
    if column.kind in _BOUNDS:
        return _number(cell, column, styles)
    if column.kind in _SERIALS:
        return _date(cell, column, styles)
    if column.kind is ColumnKind.BOOLEAN:
        return sql.SQL(_BOOLEAN).format(cell=cell)
    if column.kind is ColumnKind.TIME:
        return _from_template(_TIME, cell, column, styles)
    return _text(cell, column, styles, raw=raw)


def _value_start(style: int) -> sql.Composable:
    return sql.Literal(f'<c s="{style}"><v>' if style else "<c><v>")


def _number(cell: sql.Identifier, column: Column, styles: Styles) -> sql.Composable:
    low, high = _BOUNDS[column.kind]
    cast = _CASTS.get(column.kind)
    number = sql.SQL(f"{{}}::{cast}").format(cell) if cast else cell
    is_long = (
        column.kind is ColumnKind.NUMERIC and (column.precision or MAX_DIGITS + 1) > MAX_DIGITS
    )
    exact = sql.SQL(_EXACT).format(bare_cell=cell) if is_long else sql.SQL("")
    return _from_template(
        _NUMBER, number, column, styles, low=sql.SQL(low), high=sql.SQL(high), exact=exact
    )


def _date(cell: sql.Identifier, column: Column, styles: Styles) -> sql.Composable:
    serial = sql.SQL(_SERIALS[column.kind]).format(cell=cell)
    return _from_template(_DATE, cell, column, styles, serial=serial)


def _from_template(
    template: str, cell: sql.Composable, column: Column, styles: Styles, **parts: sql.Composable
) -> sql.Composable:
    return sql.SQL(template).format(
        cell=cell,
        open=_value_start(styles.of(column)),
        text=sql.Literal(_TEXT_CELL),
        close=sql.Literal(_CLOSE),
        **parts,
    )


def _text(cell: sql.Identifier, column: Column, styles: Styles, *, raw: bool) -> sql.Composable:
    value = printed_text(cell, column.kind)
    max_length = sql.Literal(MAX_TEXT_LENGTH)
    number = styles.of(column)
    style = f' s="{number}"' if number else ""
    truncated = sql.SQL(_TRUNCATED).format(cell=value, max_length=max_length)
    return sql.SQL(_TEXT).format(
        cell=value,
        special=_SPECIAL,
        max_length=max_length,
        formula=sql.SQL("false") if raw else starts_formula(value),
        quoted=sql.Literal(f' s="{styles.quoted(column)}"'),
        plain=sql.Literal(style),
        open=sql.Literal(_OPEN),
        escaped=_escaped(truncated),
        close=sql.Literal(_CLOSE),
        marks=_marks(value, truncated),
        text=sql.Literal(f'<c{style} t="inlineStr">{_OPEN}'),
    )


def _escaped(text: sql.Composable) -> sql.Composable:
    return sql.SQL(_ESCAPED).format(
        cell=text, illegal=sql.Literal(_ILLEGAL), replacement=sql.Literal("\ufffd" * len(_ILLEGAL))
    )


def _marks(value: sql.Composable, truncated: sql.Composable) -> sql.Composable:
    return sql.SQL(_MARKS).format(
        cell=value,
        truncated=truncated,
        max_length=sql.Literal(MAX_TEXT_LENGTH),
        truncated_mark=sql.Literal(TRUNCATED_MARK),
        illegal=sql.Literal(r"[\u0001-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]"),
        replaced_mark=sql.Literal(REPLACED_MARK),
    )
