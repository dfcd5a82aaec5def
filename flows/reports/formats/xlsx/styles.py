"""Number formats of a workbook's cells: ``xl/styles.xml``.

Reads nothing, writes nothing.
"""

from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from flows.reports.formats.query.columns import NUMBERS, Column, ColumnKind

_MAX_DECIMALS = 10
_PERCENT_DECIMALS = 1
_UNKNOWN_DECIMALS = 2
_FIRST_CUSTOM_FORMAT = 164
_FORMATS = {
    ColumnKind.MONEY: "#,##0.00",
    ColumnKind.DATE: "yyyy\\-mm\\-dd",
    ColumnKind.TIMESTAMP: "yyyy\\-mm\\-dd\\ hh:mm:ss",
    ColumnKind.INSTANT: "yyyy\\-mm\\-dd\\ hh:mm:ss",
    ColumnKind.TIME: "hh:mm:ss",
}
_FONT = '<sz val="11"/><color rgb="FF1F2937"/><name val="Calibri"/><family val="2"/>'
_BORDER = "<left/><right/>{}<diagonal/>"
_LINE = '<{} style="thin"><color rgb="FF94A3B8"/></{}>'


class _Style(NamedTuple):
    """What distinguishes the styles of columns."""

    code: str = ""
    align: str = ""
    is_quoted: bool = False
    is_total: bool = False

    def xml(self, code_id: int) -> str:
        """Return the style with the number of its format, 0 without one."""
        font, border = (1, 2) if self.is_total else (0, 0)
        attributes = f'numFmtId="{code_id}" fontId="{font}" fillId="0" borderId="{border}" xfId="0"'
        attributes += ' quotePrefix="1"' if self.is_quoted else ""
        attributes += ' applyNumberFormat="1"' if self.code else ""
        attributes += ' applyFont="1" applyBorder="1"' if self.is_total else ""
        if not self.align:
            return f"<xf {attributes}/>"
        return f'<xf {attributes} applyAlignment="1"><alignment horizontal="{self.align}"/></xf>'


class Styles:
    """The styles that cells refer to by number; columns add those that they need."""

    GENERAL, HEADER, QUOTED = 0, 1, 2

    def __init__(self) -> None:
        self._styles = [_Style(), _Style(), _Style(is_quoted=True)]

    def of(self, column: Column) -> int:
        """Return the number of the style of a column's cells."""
        return self._number(_Style(_code(column), column.options.align or ""))

    def quoted(self, column: Column) -> int:
        """Return the number of the style of the column's texts that start like a formula."""
        return self._number(_Style("", column.options.align or "", is_quoted=True))

    def total(self, column: Column) -> int:
        """Return the number of the style of the column's cell in the row of totals."""
        return self._number(_Style(_code(column), column.options.align or "", is_total=True))

    def _number(self, style: _Style) -> int:
        if style not in self._styles:
            self._styles.append(style)
        return self._styles.index(style)

    def xml(self) -> str:
        """Return the part of the workbook."""
        codes = sorted({style.code for style in self._styles if style.code})
        ids = {code: _FIRST_CUSTOM_FORMAT + number for number, code in enumerate(codes)}
        formats = "".join(
            f'<numFmt numFmtId="{number}" formatCode={quoteattr(code)}/>'
            for code, number in ids.items()
        )
        cells = [style.xml(ids.get(style.code, 0)) for style in self._styles]
        cells[self.HEADER] = (
            '<xf numFmtId="0" fontId="1" fillId="2" borderId="1" xfId="0" applyFont="1"'
            ' applyFill="1" applyBorder="1"/>'
        )
        return (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
            + (f'<numFmts count="{len(ids)}">{formats}</numFmts>' if formats else "")
            + f'<fonts count="2"><font>{_FONT}</font><font><b/>{_FONT}</font></fonts>'
            '<fills count="3"><fill><patternFill patternType="none"/></fill>'
            '<fill><patternFill patternType="gray125"/></fill>'
            '<fill><patternFill patternType="solid"><fgColor rgb="FFEEF2F7"/>'
            '<bgColor indexed="64"/></patternFill></fill></fills>'
            f'<borders count="3"><border>{_BORDER.format("<top/><bottom/>")}</border>'
            f"<border>{_BORDER.format('<top/>' + _LINE.format('bottom', 'bottom'))}</border>"
            f"<border>{_BORDER.format(_LINE.format('top', 'top') + '<bottom/>')}</border></borders>"
            '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>'
            f'</cellStyleXfs><cellXfs count="{len(cells)}">{"".join(cells)}</cellXfs>'
            '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
            "</styleSheet>"
        )


def _code(column: Column) -> str:
    """Return the number format of a column; empty if Excel chooses one."""
    if column.options.excel_date:
        return column.options.excel_date
    if column.kind in NUMBERS and column.options.is_measure:
        return _measure_code(column)
    if column.kind is ColumnKind.NUMERIC and column.scale is not None:
        return _grouped(column.scale)
    return _FORMATS.get(column.kind, "")


def _measure_code(column: Column) -> str:
    options = column.options
    decimals = options.decimals
    if options.percent:
        return f"{_grouped(_PERCENT_DECIMALS if decimals is None else decimals)}%"
    if decimals is None:
        decimals = column.scale if column.scale is not None else _decimals(column.kind)
    code, sign = _grouped(decimals), options.unit_of_values
    return f'{code}"%"' if sign == "%" else f'"{sign}"{code}' if sign else code


def _decimals(kind: ColumnKind) -> int:
    return 0 if kind is ColumnKind.INTEGER else _UNKNOWN_DECIMALS


def _grouped(decimals: int) -> str:
    decimals = min(max(decimals, 0), _MAX_DECIMALS)
    return "#,##0." + "0" * decimals if decimals else "#,##0"
