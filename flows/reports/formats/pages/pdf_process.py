"""Pages to PDF and charts to PNG, in a child process that can neither grow, hang, nor reach out.

Reads the font package; writes a private temporary folder, which is removed, and what the caller asked
for. The child dies with this process.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from flows.reports.formats.registry import FormatError

MEMORY_LIMIT_BYTES = 1 << 30
TIMEOUT_SECONDS = 60.0
SCALE = 2.0
"""Pixels of a PNG for each pixel of its chart: sharp on the screens of phones."""

_PROGRAM = Path(__file__).with_name("renderer_main.py")
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<dir>{package}</dir><dir>/usr/share/fonts</dir><dir>/usr/local/share/fonts</dir>
<cachedir>{cache}</cachedir>
<alias><family>sans-serif</family><prefer><family>Source Sans Pro</family></prefer></alias>
</fontconfig>
"""


def pngs(pictures: Sequence[tuple[str, float, float]]) -> list[bytes]:
    """PNG of each picture, given as SVG, width and height.

    Raises:
        FormatError: they can't be drawn.
    """
    if not pictures:
        return []
    request = {
        "scale": SCALE,
        "pictures": [{"svg": svg, "width": w, "height": h} for svg, w, h in pictures],
    }
    with tempfile.TemporaryDirectory(prefix="report-") as name:
        _draw(Path(name), request, MEMORY_LIMIT_BYTES, TIMEOUT_SECONDS)
        return [(Path(name) / f"{number}.png").read_bytes() for number in range(len(pictures))]


def pdf(html: str, title: str, path: Path, memory_limit_bytes: int, timeout_seconds: float) -> None:
    """Write a page as PDF.

    Raises:
        FormatError: it needs more memory or time than it may have.
        OSError: the file can't be written.
    """
    with tempfile.TemporaryDirectory(prefix=f"{path.name}.", dir=path.parent) as name:
        folder = Path(name)
        _draw(folder, {"html": html, "title": title}, memory_limit_bytes, timeout_seconds)
        with (folder / "page.pdf").open("rb") as made:
            os.fsync(made.fileno())
        if path.exists():
            shutil.copymode(path, folder / "page.pdf")
        (folder / "page.pdf").replace(path)


def _draw(folder: Path, request: Mapping[str, Any], memory: int, seconds: float) -> None:
    if find_spec("plutoprint") is None:
        raise FormatError("pdf and charts need plutoprint, which this platform has no package of")
    (folder / "request.json").write_text(json.dumps(request))
    (folder / "fonts.conf").write_text(_fonts(folder))
    command = [sys.executable, "-I", str(_PROGRAM), str(folder), str(os.getpid())]
    try:
        ended = subprocess.run(
            [*command, str(memory), str(max(1, round(seconds)))],
            env={"FONTCONFIG_PATH": str(folder), "HOME": str(folder), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FormatError(_too_slow(seconds)) from None
    if ended.returncode:
        raise FormatError(_reason(ended, memory, seconds))


def _fonts(folder: Path) -> str:
    spec = find_spec("font_source_sans_pro")
    package = Path(spec.origin).parent / "files" if spec and spec.origin else folder
    return _FONTS.format(package=escape(str(package)), cache=escape(str(folder / "cache")))


def _too_slow(seconds: float) -> str:
    return f"drawing the page took longer than {seconds:g} s; show fewer rows (page_rows)"


def _reason(ended: subprocess.CompletedProcess[bytes], memory: int, seconds: float) -> str:
    if ended.returncode == -24:  # SIGXCPU  # noqa: PLR2004
        return _too_slow(seconds)
    words = ended.stderr.decode(errors="replace").strip().splitlines()
    last = words[-1][:200] if words else f"ended with {ended.returncode}"
    if "memory" in last.lower() or ended.returncode < 0 or ended.returncode == 3:  # noqa: PLR2004
        return f"drawing the page needs more than {memory >> 20} MB; show fewer rows (page_rows)"
    return f"the page can't be drawn: {last}"
