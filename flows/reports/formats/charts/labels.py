"""Labels below the columns or points of a chart: whole if they fit, never on top of each other.

Reads nothing, writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flows.reports.formats.charts.drawing import EM, LINE_HEIGHT, WIDTH, Drawing
from flows.reports.formats.text_width import fitting_text, text_width, wrapped_lines

MAX_LINES = 3
"""Of a label at every column; of others, two."""
_GAP = 8.0
_MAX_WIDTH = 160.0


@dataclass(frozen=True)
class _Label:
    x: float
    anchor: str
    lines: Sequence[str]

    @property
    def start(self) -> float:
        """The position of its left edge."""
        return self.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * self._width

    @property
    def end(self) -> float:
        """The position of its right edge."""
        return self.start + self._width

    @property
    def _width(self) -> float:
        return max(map(text_pixels, self.lines))


def text_pixels(text: str) -> float:
    """Return the width of a text of a chart in pixels."""
    return text_width(text) * EM


def fits_columns(labels: Sequence[str], slot: float) -> bool:
    """Return whether each column can have its label in two lines."""
    return all(_fits(label, slot - _GAP, MAX_LINES - 1) for label in labels)


def add_labels(drawing: Drawing, labels: Sequence[str], slot: float, y: float) -> None:
    """Add as many evenly spaced labels as fit, always including the last; the drawing grows with them."""
    every = _interval(labels, slot)
    last = len(labels) - 1
    shown: list[_Label] = []
    for index in range(last, -1, -every):
        label = _label(labels[index], drawing.left + slot * (index + 0.5), slot * every - _GAP)
        if not shown or label.end + _GAP / 2 <= shown[-1].start:
            shown.append(label)
    for label in reversed(shown):
        for number, line in enumerate(label.lines):
            drawing.labels.append((round(label.x, 1), y + LINE_HEIGHT * number, label.anchor, line))
    drawing.height += LINE_HEIGHT * (max(len(label.lines) for label in shown) - 1)


def _interval(labels: Sequence[str], slot: float) -> int:
    """Return the least interval at which whole labels fit; else one at which their beginnings do."""
    for every in range(1, len(labels) + 1):
        width, lines = slot * every - _GAP, MAX_LINES if every == 1 else MAX_LINES - 1
        if width > _MAX_WIDTH:
            break
        if all(_fits(label, width, lines) for label in labels[::-1][::every]):
            return every
    widest = min(max(map(text_pixels, labels)) + _GAP, _MAX_WIDTH)
    return max(1, -(-int(widest) // max(1, int(slot))))


def _fits(label: str, width: float, lines: int) -> bool:
    """Return whether a label fits in so many lines without a word being broken."""
    words = label.split(" ")
    if max(map(text_pixels, words)) > width:
        return False
    return " ".join(wrapped_lines(label, width / EM, lines)) == label


def _label(text: str, x: float, width: float) -> _Label:
    """Return a label around a position; at the edges of the picture beside it, so that it is whole."""
    em = max(width, 2 * EM) / EM
    lines = wrapped_lines(text, em, MAX_LINES) or [""]
    if any(text_width(word) > em for word in text.split(" ")):
        lines = [fitting_text(text, em)]
    label = _Label(x, "middle", lines)
    if label.end > WIDTH - 2:
        return _Label(WIDTH - 2, "end", lines)
    return _Label(2, "start", lines) if label.start < 2 else label  # noqa: PLR2004  # pixels
