"""Draw a series of numbers as bars in a small PNG, for emails.

The bars stand on a transparent ground, so that they suit light and dark pages. The picture has no text, so
that no value can change it. Reads nothing, writes nothing.
"""

import math
import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from analytics_worker.presentation.sparkline import Values, share, value_range

WIDTH, HEIGHT = 288, 48
"""Size in pixels of the page."""
MAX_BARS = 30
_SCALE = 2
"""Pixels of the PNG for each pixel of the page, so that it is sharp on phones."""

_GROUND, _BAR, _LAST, _BOUND = range(4)
_BAR_COLOR, _BOUND_COLOR = "#94a3b8", "#64748b"
_MIN_BAR = 2 * _SCALE
_DASH = bytes([_BOUND] * 6 + [_GROUND] * 6)


class _Bar(NamedTuple):
    """A bar in pixels of the PNG."""

    left: int
    right: int
    top: int
    bottom: int
    color: int


def bar_image(values: Values, bound: float | None, color: str) -> bytes:
    """Return a PNG of the last `MAX_BARS` values, the last of them in a color.

    Args:
        values: Numbers, in the order of time; None where there is none.
        bound: The number that a dashed line stands for.
        color: Such as ``#c81e1e``.
    """
    shown = list(values)[-MAX_BARS:]
    low, high = value_range([*shown, bound])
    bars = [bar for bar in _bars(shown, low, high) if bar]
    rows = [_row(bars, y) for y in range(HEIGHT * _SCALE)]
    if bound is not None and math.isfinite(bound):
        _add_line(rows, _pixel(bound, low, high))
    return _png(rows, (_BAR_COLOR, color, _BOUND_COLOR))


def _bars(values: Values, low: float, high: float) -> list[_Bar | None]:
    slot = WIDTH * _SCALE / max(len(values), MAX_BARS // 2)
    zero = _pixel(min(max(0.0, low), high), low, high)
    bars: list[_Bar | None] = []
    for number, value in enumerate(values):
        if value is None:
            bars.append(None)
            continue
        top, bottom = sorted((_pixel(value, low, high), zero))
        left, right = round(slot * number), round(slot * (number + 1)) - _SCALE * 2
        top = min(top, HEIGHT * _SCALE - _MIN_BAR)
        color = _LAST if number == len(values) - 1 else _BAR
        bars.append(_Bar(left, right, top, max(bottom, top + _MIN_BAR), color))
    return bars


def _pixel(value: float, low: float, high: float) -> int:
    return round((1 - share(value, low, high)) * (HEIGHT * _SCALE - _MIN_BAR))


def _row(bars: Sequence[_Bar], y: int) -> bytearray:
    row = bytearray(WIDTH * _SCALE)
    for bar in bars:
        if bar.top <= y < bar.bottom:
            row[bar.left : bar.right] = bytes([bar.color]) * (bar.right - bar.left)
    return row


def _add_line(rows: Sequence[bytearray], top: int) -> None:
    """Draw the dashes of the bound above the bars."""
    dashes = _DASH * (WIDTH * _SCALE // len(_DASH) + 1)
    for row in rows[top : top + _SCALE]:
        row[:] = bytes(dash or own for dash, own in zip(dashes, row, strict=False))


def _png(rows: Sequence[bytearray], colors: Sequence[str]) -> bytes:
    header = struct.pack(">IIBBBBB", WIDTH * _SCALE, HEIGHT * _SCALE, 8, 3, 0, 0, 0)
    palette = bytes(3) + b"".join(bytes.fromhex(color.removeprefix("#")) for color in colors)
    parts = (
        (b"IHDR", header),
        (b"PLTE", palette),
        (b"tRNS", b"\0"),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
