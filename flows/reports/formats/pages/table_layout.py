"""Distribute the columns of a table over blocks that fit next to each other on a page.

Each block has the first column again, so that readers know which row they see. Reads nothing, writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice

from flows.reports.formats.text_width import text_width

PORTRAIT, LANDSCAPE, EMAIL = 54.0, 95.0, 41.0
"""Width of the table on pages and in emails, in multiples of its font size."""
_PADDING = 0.9
_COMFORTABLE = 16.0  # texts of one line
_LINES = 5  # of a longer text
_MAX_WIDTH, _MAX_SHARE = 26.0, 0.42
_MAX_SHARE_OF_FIRST = 0.35
_MEASURED = 20  # of the texts with the most characters
_SHARES = [number / 100 for number in range(50, 100, 5)]


@dataclass(frozen=True)
class Measured:
    """Width of the longest text of a column, and of its longest word, in multiples of the font size."""

    text: float
    word: float

    @property
    def breaks_words(self) -> bool:
        """Whether words have to be broken."""
        return self.word > _MAX_WIDTH

    @property
    def has_lines(self) -> bool:
        """Whether its texts have several lines."""
        return self.text > _COMFORTABLE

    def width(self, available: float) -> float:
        """Return the width of the column, if a table has so much."""
        wanted = self.text if not self.has_lines else max(_COMFORTABLE, self.text / _LINES)
        limit = min(_MAX_WIDTH, available * _MAX_SHARE)
        return min(max(wanted, self.word), limit) + _PADDING


def measured(heading: str, texts: Sequence[str]) -> Measured:
    """Measure a column with this heading and these texts."""
    different = {heading, *texts}
    words = {max(text.split(), key=len, default="") for text in different}
    return Measured(
        max(map(text_width, nlargest(_MEASURED, different, key=len))),
        max(map(text_width, nlargest(_MEASURED, words, key=len))),
    )


def column_blocks(widths: Sequence[float], available: float) -> list[list[int]]:
    """Return the positions of the columns in each block: as few blocks as possible, of similar width."""
    blocks = _filled_blocks(widths, available)
    for share in _SHARES:
        even = _filled_blocks(widths, available * share)
        if len(even) == len(blocks):
            return even
    return blocks


def _filled_blocks(widths: Sequence[float], available: float) -> list[list[int]]:
    """Return blocks, each filled before the next one begins."""
    first = min(widths[0], available * _MAX_SHARE_OF_FIRST)
    blocks, used = [[0]], first
    for number, width in islice(enumerate(widths), 1, None):
        if used + width > available and len(blocks[-1]) > 1:
            blocks.append([0])
            used = first
        blocks[-1].append(number)
        used += width
    return blocks
