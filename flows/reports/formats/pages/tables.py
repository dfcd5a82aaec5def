"""The tables of a page or an email, as its template shows them: in blocks of columns that fit.

Reads nothing, writes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from markupsafe import Markup, escape

from flows.reports.formats.pages import table_layout
from flows.reports.formats.pages.cell_text import heading_text, shown_indexes, table_texts
from flows.reports.formats.pages.document import File
from flows.reports.formats.query.columns import DAYS, NUMBERS, Column
from flows.reports.formats.query.fetch import FetchedRows

TOTAL = "Total"
MARK = "*"
_MIN_BLOCKS = 3
_NARROW = 0.55
"""Share of the available width from which on a table takes all of it."""
_SHORT = 8.0
"""Width of texts that are never broken into lines."""
_LONG_WORD, _PART = 20, 12
_PAGES = (".html", ".pdf")


@dataclass(frozen=True)
class Target:
    """Where tables are shown: the width for one, and for how many rows and blocks there is room."""

    width: float
    max_blocks: int
    max_rows: int

    def blocks(self, rows: int) -> int:
        """Return how many blocks a table with so many rows may have."""
        return max(_MIN_BLOCKS, min(self.max_blocks, self.max_rows // max(rows, 1)))


PORTRAIT = Target(table_layout.PORTRAIT, 40, 40 * 5000)
LANDSCAPE = Target(table_layout.LANDSCAPE, 40, 40 * 5000)
EMAIL = Target(table_layout.EMAIL, 8, 200)  # clients cut emails of more than 100 kB


@dataclass(frozen=True)
class ShownColumn:
    """A column of a block: its heading, its alignment, and the attributes of heading and cells."""

    heading: str
    align: str
    attributes: Markup
    width: str = ""


@dataclass(frozen=True)
class Block:
    """Columns that stand next to each other; ``label`` says which, if there are more blocks."""

    label: str
    columns: Sequence[ShownColumn]
    rows: Sequence[Sequence[str]]
    totals: Sequence[str] | None
    is_narrow: bool

    @property
    def body(self) -> Markup:
        """The rows as HTML, each text escaped: a template takes longer per cell."""
        starts = [f"<td{column.attributes}>" for column in self.columns]
        lines = (
            "".join(
                [f"{start}{escape(text)}</td>" for start, text in zip(starts, row, strict=True)]
            )
            for row in self.rows
        )
        return Markup("".join([f"<tr>{line}</tr>\n" for line in lines]))  # noqa: S704


@dataclass(frozen=True)
class ShownTable:
    """A table in blocks of columns; ``omitted`` says which columns are left out."""

    title: str
    blocks: Sequence[Block]
    rows: int
    truncated: bool
    omitted: str
    incomplete: str
    """Until when the data of its period is there, after the mark of the rows that lack data."""


class TableTexts:
    """The texts of a table without its hidden columns, and their widths."""

    def __init__(self, fetched: FetchedRows) -> None:
        self.fetched = fetched
        texts = table_texts(fetched)
        shown = shown_indexes(fetched.columns)
        self.shortened = texts.shortened
        self.rows = [[row[index] for index in shown] for row in texts.rows]
        for number in fetched.incomplete_rows:
            self.rows[number][0] = f"{self.rows[number][0]} {MARK}"
        self.totals = _labeled([texts.totals[index] for index in shown] if texts.totals else None)
        columns = [fetched.columns[index] for index in shown]
        below = [*self.rows, self.totals] if self.totals else self.rows
        self._measured = [
            table_layout.measured(heading_text(column), [row[number] for row in below])
            for number, column in enumerate(columns)
        ]
        self.columns = list(map(_shown_column, columns, self._measured))
        for number, measured in enumerate(self._measured):
            if measured.breaks_words:
                for row in self.rows:
                    row[number] = _breakable(row[number])

    def all_texts(self) -> Iterator[str]:
        """Yield title, headings and cells."""
        yield self.fetched.title
        yield from (column.heading for column in self.columns)
        yield from chain.from_iterable(self.rows)

    def fits(self, target: Target) -> bool:
        """Return whether all columns fit next to each other."""
        return sum(self._widths(target)) <= target.width

    def shown(self, target: Target, files: Sequence[File]) -> ShownTable:
        """Return the table in blocks of columns that fit."""
        widths = self._widths(target)
        all_blocks = table_layout.column_blocks(widths, target.width)
        numbers = all_blocks[: target.blocks(len(self.rows))]
        is_whole = len(numbers) == len(all_blocks)
        omitted = "" if is_whole else _omitted(numbers[-1][-1] + 1, len(self.columns), files)
        blocks = [self._block(each, widths, target.width) for each in numbers]
        if len(all_blocks) == 1:
            blocks = [replace(blocks[0], label="")]
        return ShownTable(
            _breakable(self.fetched.title),
            blocks,
            len(self.rows),
            self.fetched.truncated,
            omitted,
            self._incomplete(),
        )

    def _incomplete(self) -> str:
        is_marked = bool(self.fetched.incomplete_rows)
        return f"{MARK} {self.fetched.incomplete}" if is_marked else self.fetched.incomplete

    def _widths(self, target: Target) -> list[float]:
        return [each.width(target.width) for each in self._measured]

    def _block(self, numbers: Sequence[int], widths: Sequence[float], available: float) -> Block:
        first = numbers[0 if numbers[1:2] == [1] else -1 if len(numbers) == 1 else 1] + 1
        last = numbers[-1] + 1
        span = f"Columns {first}\u2013{last}" if first < last else f"Column {last}"
        total = sum(widths[number] for number in numbers)
        columns = [self.columns[number] for number in numbers]
        if any(self._measured[number].has_lines for number in numbers):
            columns = [
                replace(column, width=f"{widths[number] / total:.0%}")
                for column, number in zip(columns, numbers, strict=True)
            ]
        return Block(
            f"{span} of {len(self.columns):,}",
            columns,
            [[row[number] for number in numbers] for row in self.rows],
            self._block_totals(numbers),
            total < available * _NARROW,
        )

    def _block_totals(self, numbers: Sequence[int]) -> list[str] | None:
        """Return the totals of a block; None if it has only the label."""
        found = [self.totals[number] for number in numbers] if self.totals else []
        return found if any(found[1:]) or (found and found[0] != TOTAL) else None


def _labeled(totals: list[str] | None) -> list[str] | None:
    """Return the totals with a label in the first column, unless that has a total."""
    return [totals[0] or TOTAL, *totals[1:]] if totals else None


def _omitted(shown: int, columns: int, files: Sequence[File]) -> str:
    names = sorted((file.name for file in files), key=lambda name: name.endswith(_PAGES))
    where = f"; {names[0]} has all of them" if names else ""
    return f"The first {shown} of {columns:,} columns{where}."


def _breakable(text: str) -> Markup:
    """Return a text whose long words may be broken everywhere."""
    return Markup(" ").join(map(_breakable_word, text.split(" ")))


def _breakable_word(word: str) -> Markup:
    if len(word) <= _LONG_WORD:
        return escape(word)
    parts = (word[start : start + _PART] for start in range(0, len(word), _PART))
    return Markup("<wbr>").join(parts)


def _shown_column(column: Column, measured: table_layout.Measured) -> ShownColumn:
    is_number = column.kind in NUMBERS
    align = column.options.align or ("right" if is_number else "left")
    is_short = measured.text <= _SHORT or column.kind in DAYS
    css_class = "number" if is_number else "short" if is_short else "lines"
    if measured.breaks_words:
        css_class = "long"
    attributes = Markup(' class="{}"').format(css_class)
    if measured.breaks_words:  # for email clients without style sheets
        attributes += Markup(' style="word-break:break-all"')
    if align != "left":
        attributes += Markup(' align="{}"').format(align)
    heading = heading_text(column)
    if measured.breaks_words:
        heading = _breakable(heading)
    return ShownColumn(heading, align, attributes)
