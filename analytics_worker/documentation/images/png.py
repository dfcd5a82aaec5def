"""Read the pixels of a PNG as browsers write it: eight bits for each channel, not interlaced.

Reads nothing, writes nothing.
"""

import struct
import zlib
from collections.abc import Iterator

from analytics_worker.errors import PermanentError

MAX_BYTES = 150_000
"""Size of a picture of the documentation."""
_CHANNELS = {2: 3, 6: 4}  # by the type of colors


def read_png(data: bytes) -> tuple[bytes, int, int]:
    """Return the pixels (blue, green, red and an unused byte each), the width and the height.

    Raises:
        PermanentError: it has another type of colors than pictures of pages have.
    """
    chunks = list(_chunks(data))
    width, height, _, colors = struct.unpack(">IIBB", chunks[0][1][:10])
    if colors not in _CHANNELS:
        raise PermanentError(f"The picture can't be read: the type of its colors is {colors}.")
    size = _CHANNELS[colors]
    packed = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    pixels = bytearray(b"\xff" * (4 * width * height))
    row = bytearray(width * size)
    for y in range(height):
        start = y * (width * size + 1)
        row = _unfiltered(packed[start], packed[start + 1 : start + 1 + len(row)], row, size)
        target = slice(4 * width * y, 4 * width * (y + 1))
        line = pixels[target]
        line[0::4], line[1::4], line[2::4] = row[2::size], row[1::size], row[0::size]
        pixels[target] = line
    return bytes(pixels), width, height


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += length + 12


def _unfiltered(kind: int, filtered: bytes, above: bytearray, size: int) -> bytearray:
    """Return the bytes of a row; each was stored as its difference from its neighbors."""
    row = bytearray(filtered)
    if kind == 0:
        return row
    for at, value in enumerate(row):
        left = row[at - size] if at >= size else 0
        up_left = above[at - size] if at >= size else 0
        row[at] = (value + _predicted(kind, left, above[at], up_left)) & 255
    return row


def _predicted(kind: int, left: int, up: int, up_left: int) -> int:
    if kind == 4:  # noqa: PLR2004  # the nearest of three
        estimate = left + up - up_left
        return min((left, up, up_left), key=lambda each: abs(estimate - each))
    return (0, left, up, (left + up) // 2)[kind]
