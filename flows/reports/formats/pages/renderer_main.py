"""Main program of the renderer: a page to PDF, images to PNG, with limited memory and no resources.

Reads ``request.json`` in the given folder; writes its results there. All resources that a page refers to
are refused; the fonts are those of the folder's ``fonts.conf``. Started by path, so that nothing of the
worker is imported.
"""

import ctypes
import json
import os
import resource
import signal
import struct
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
OUT_OF_MEMORY = 3
NO_CHARACTER = "\U0010fffd"  # for private use
_LEVELS = bytes(round(value / 17) * 17 for value in range(256))  # 16 shades of each color


def confine(parent: int, memory_bytes: int, seconds: int) -> None:
    """Limit this process before it reads any foreign data."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def encode_png(pixels: bytes, width: int, height: int) -> bytes:
    """Encode a PNG with at most 256 colors, a quarter of the size of one in full color.

    Args:
        pixels: Four bytes each: blue, green, red and an unused one.
        width: In pixels.
        height: In pixels.
    """
    quantized = memoryview(pixels.translate(_LEVELS)).cast("I").tolist()
    counts = Counter(quantized)
    palette = [color for color, _ in counts.most_common(256)]
    indexes = {color: index for index, color in enumerate(palette)}
    for color in counts.keys() - indexes.keys():
        indexes[color] = min(range(256), key=lambda index: _distance(palette[index], color))
    indexed = bytes(map(indexes.__getitem__, quantized))
    rows = b"".join(
        b"\0" + indexed[start : start + width] for start in range(0, len(indexed), width)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    colors = b"".join(bytes(_channels(color)) for color in palette)
    parts = (
        (b"IHDR", header),
        (b"PLTE", colors),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def _channels(color: int) -> tuple[int, int, int]:
    return color >> 16 & 255, color >> 8 & 255, color & 255


def _distance(one: int, other: int) -> int:
    return sum((a - b) ** 2 for a, b in zip(_channels(one), _channels(other), strict=True))


def _refuse_resources() -> Any:
    """Return a fetcher that refuses every resource."""
    import plutoprint as pluto  # noqa: PLC0415  # under the limits

    class NoResources(pluto.ResourceFetcher):
        def fetch_url(self, url: str) -> Any:
            raise ValueError(f"a report can't load resources: {url[:60]}")

    return NoResources()


def _pixels(image: dict[str, Any], scale: float) -> tuple[bytes, int, int]:
    """Return the pixels of an image, and its width and height."""
    import plutoprint as pluto  # noqa: PLC0415

    width, height = (round(image[side] * scale) for side in ("width", "height"))
    size = pluto.PageSize(image["width"] * pluto.UNITS_PX, image["height"] * pluto.UNITS_PX)
    book = pluto.Book(size, pluto.PAGE_MARGINS_NONE, pluto.MEDIA_TYPE_SCREEN)
    book.custom_resource_fetcher = _refuse_resources()
    book.load_html(f"<style>*{{margin:0}}svg{{display:block}}</style>{image['svg']}")
    canvas = pluto.ImageCanvas(width, height, pluto.IMAGE_FORMAT_RGB24)
    canvas.clear_surface(1, 1, 1, 1)
    canvas.scale(scale, scale)
    book.render_document(canvas)
    return bytes(canvas.get_data()), width, height


def _missing(characters: list[str]) -> list[str]:
    """Return the characters that look like one that no font has."""
    images = ({"svg": f"<p>&#{ord(c)};</p>", "width": 40, "height": 40} for c in characters)
    unknown = {"svg": f"<p>{NO_CHARACTER}</p>", "width": 40, "height": 40}
    box = _pixels(unknown, 1)
    return [c for c, image in zip(characters, images, strict=True) if _pixels(image, 1) == box]


def _render_pdf(html: str, title: str, path: Path) -> None:
    import plutoprint as pluto  # noqa: PLC0415

    book = pluto.Book(pluto.PAGE_SIZE_A4, pluto.PAGE_MARGINS_NORMAL, pluto.MEDIA_TYPE_PRINT)
    book.custom_resource_fetcher = _refuse_resources()
    book.load_html(html)
    book.set_metadata(pluto.PDF_METADATA_TITLE, title)
    book.write_to_pdf(path)


def render(folder: Path) -> None:
    """Render the page or the images of the request."""
    request = json.loads((folder / "request.json").read_bytes())
    for number, image in enumerate(request.get("images", [])):
        (folder / f"{number}.png").write_bytes(encode_png(*_pixels(image, request["scale"])))
    if "characters" in request:
        (folder / "missing.json").write_text(json.dumps(_missing(request["characters"])))
    if "html" in request:
        _render_pdf(request["html"], request["title"], folder / "page.pdf")


if __name__ == "__main__":
    confine(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    try:
        render(Path(sys.argv[1]))
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)
