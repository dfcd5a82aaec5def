"""Number formats of a workbook's cells: ``xl/styles.xml``.

Reads nothing, writes nothing.
"""

from flows.reports.formats.query.columns import Column, ColumnKind

_MAX_DECIMALS = 10
_FIRST_CUSTOM_FORMAT = 164
_FORMATS = {
    ColumnKind.MONEY: "#,##0.00",
    ColumnKind.DATE: "yyyy\\-mm\\-dd",
    ColumnKind.TIMESTAMP: "yyyy\\-mm\\-dd\\ hh:mm:ss",
    ColumnKind.INSTANT: "yyyy\\-mm\\-dd\\ hh:mm:ss",
    ColumnKind.TIME: "hh:mm:ss",
}
_FONT = '<sz val="11"/><color rgb="FF1F2937"/><name val="Calibri"/><family val="2"/>'
_BORDER = "<left/><right/><top/>{}<diagonal/>"
_LINE = '<bottom style="thin"><color rgb="FF94A3B8"/></bottom>'


class Styles:
    """The styles that cells refer to by number; columns add those that they need."""

    GENERAL, HEADER, QUOTED = 0, 1, 2

    def __init__(self) -> None:
        self._formats: list[str] = []

    def of(self, column: Column) -> int:
        """Return the number of the style of a column's cells."""
        code = _FORMATS.get(column.kind)
        if column.kind is ColumnKind.NUMERIC and column.scale is not None:
            decimals = min(max(column.scale, 0), _MAX_DECIMALS)
            code = "#,##0." + "0" * decimals if decimals else "#,##0"
        if code is None:
            return self.GENERAL
        if code not in self._formats:
            self._formats.append(code)
        return self._formats.index(code) + self.QUOTED + 1

    def xml(self) -> str:
        """Return the part of the workbook."""
        ids = range(_FIRST_CUSTOM_FORMAT, _FIRST_CUSTOM_FORMAT + len(self._formats))
        formats = "".join(
            f'<numFmt numFmtId="{number}" formatCode="{code}"/>'
            for number, code in zip(ids, self._formats, strict=True)
        )
        cells = [
            '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>',
            (
                '<xf numFmtId="0" fontId="1" fillId="2" borderId="1" xfId="0" applyFont="1"'
                ' applyFill="1" applyBorder="1"/>'
            ),
            '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1"/>',
            *(
                f'<xf numFmtId="{number}" fontId="0" fillId="0" borderId="0" xfId="0"'
                ' applyNumberFormat="1"/>'
                for number in ids
            ),
        ]
        return (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
            + (f'<numFmts count="{len(self._formats)}">{formats}</numFmts>' if formats else "")
            + f'<fonts count="2"><font>{_FONT}</font><font><b/>{_FONT}</font></fonts>'
            '<fills count="3"><fill><patternFill patternType="none"/></fill>'
            '<fill><patternFill patternType="gray125"/></fill>'
            '<fill><patternFill patternType="solid"><fgColor rgb="FFEEF2F7"/>'
            '<bgColor indexed="64"/></patternFill></fill></fills>'
            f'<borders count="2"><border>{_BORDER.format("<bottom/>")}</border>'
            f"<border>{_BORDER.format(_LINE)}</border></borders>"
            '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>'
            f'</cellStyleXfs><cellXfs count="{len(cells)}">{"".join(cells)}</cellXfs>'
            '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
            "</styleSheet>"
        )
