"""The columns of a query on a sheet: their headings, cells and totals.

Reads nothing, writes nothing.
"""

from dataclasses import replace
from decimal import Decimal

from psycopg2 import sql

from flows.reports.formats.query.column_options import NO_OPTIONS
from flows.reports.formats.query.columns import Column
from flows.reports.formats.query.statement import PreparedQuery, column_identifier
from flows.reports.formats.query.totals import Totals
from flows.reports.formats.xlsx.cells import MAX_DIGITS, cell_xml
from flows.reports.formats.xlsx.escaping import escape_text
from flows.reports.formats.xlsx.styles import Styles

TOTAL = "Total"
_MAX_DECIMALS = 6


class TableColumns:
    """The columns of a query that a sheet shows; all of them as they are if it is ``raw``."""

    def __init__(self, query: PreparedQuery, styles: Styles, *, raw: bool) -> None:
        self._raw = raw
        self._styles = styles
        self._numbers: list[int] = []
        self.columns: list[Column] = []
        for number, column in enumerate(query.columns):
            if raw or not column.options.hidden:
                self._numbers.append(number)
                self.columns.append(replace(column, options=NO_OPTIONS) if raw else column)

    @property
    def headings(self) -> list[str]:
        """The title of each column, or else its name; with its unit if that is a word."""
        return [_heading(column) for column in self.columns]

    def cells(self) -> list[sql.Composable]:
        """Return SQL for the XML of each cell of a row."""
        return [
            cell_xml(column_identifier(number), column, self._styles, raw=self._raw)
            for number, column in zip(self._numbers, self.columns, strict=True)
        ]

    def header_row(self) -> str:
        """Return the XML of the row of headings."""
        return _row([text_cell(heading, Styles.HEADER) for heading in self.headings])

    def total_row(self, totals: Totals) -> str:
        """Return the XML of the row of totals, with a label in the first column unless that has one."""
        texts = [totals[number] for number in self._numbers]
        texts[0] = texts[0] or TOTAL
        pairs = zip(self.columns, texts, strict=True)
        return _row([_total_cell(text, self._styles.total(column)) for column, text in pairs])


def _heading(column: Column) -> str:
    unit, title = column.options.unit_of_heading, column.options.title or column.name
    return f"{title} ({unit})" if unit else title


def _row(cells: list[str]) -> str:
    return f"<row>{''.join(cells)}</row>\n"


def _total_cell(text: str | None, style: int) -> str:
    if text is None:
        return f'<c s="{style}"/>'
    number = Decimal(text) if text != TOTAL else Decimal("NaN")
    if not number.is_finite() or _digits(number) > MAX_DIGITS:
        return text_cell(text, style)
    return f'<c s="{style}"><v>{number:f}</v></c>'


def _digits(number: Decimal) -> int:
    """Return how many digits a number has, without decimals that Excel may round away."""
    exponent = int(number.normalize().as_tuple().exponent)
    return number.adjusted() + 1 + min(max(-exponent, 0), _MAX_DECIMALS)


def text_cell(text: str, style: int = 0) -> str:
    """Return the XML of a cell with a text."""
    return (
        f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{escape_text(text)}</t></is></c>'
    )
