"""Render pages to PDF and charts to PNG in a child process with limited memory, time and rights.

Reads the font packages; writes a private temporary folder, which is removed, and the requested files. The
child dies with this process.
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
"""Pixels of a PNG for each pixel of its chart, so that it is sharp on phones."""

_FONT_PACKAGES = ("font_source_sans_pro", "manimgx_fonts_cjk")
_PROGRAM = Path(__file__).with_name("renderer_main.py")
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
{packages}<dir>/usr/share/fonts</dir><dir>/usr/local/share/fonts</dir>
<cachedir>{cache}</cachedir>
<alias><family>sans-serif</family><prefer><family>Source Sans Pro</family></prefer></alias>
</fontconfig>
"""


def render_pngs(images: Sequence[tuple[str, float, float]]) -> list[bytes]:
    """Return a PNG of each image, given as SVG, width and height.

    Raises:
        FormatError: they can't be drawn.
    """
    if not images:
        return []
    request = {
        "scale": SCALE,
        "images": [{"svg": svg, "width": w, "height": h} for svg, w, h in images],
    }
    with tempfile.TemporaryDirectory(prefix="report-") as name:
        _run_renderer(Path(name), request, MEMORY_LIMIT_BYTES, TIMEOUT_SECONDS)
        return [(Path(name) / f"{number}.png").read_bytes() for number in range(len(images))]


def missing_characters(characters: Sequence[str]) -> list[str]:
    """Return which of these characters no font has.

    Raises:
        FormatError: they can't be drawn.
    """
    with tempfile.TemporaryDirectory(prefix="report-") as name:
        request = {"characters": list(characters)}
        _run_renderer(Path(name), request, MEMORY_LIMIT_BYTES, TIMEOUT_SECONDS)
        return json.loads((Path(name) / "missing.json").read_text())


def write_pdf(
    html: str, title: str, path: Path, memory_limit_bytes: int, timeout_seconds: float
) -> None:
    """Write a page as PDF.

    Raises:
        FormatError: it exceeds the limit of memory or time.
        OSError: the file can't be written.
    """
    with tempfile.TemporaryDirectory(prefix=f"{path.name}.", dir=path.parent) as name:
        folder = Path(name)
        _run_renderer(folder, {"html": html, "title": title}, memory_limit_bytes, timeout_seconds)
        with (folder / "page.pdf").open("rb") as file:
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, folder / "page.pdf")
        (folder / "page.pdf").replace(path)


def _run_renderer(folder: Path, request: Mapping[str, Any], memory: int, seconds: float) -> None:
    if find_spec("plutoprint") is None:
        raise FormatError("pdf and charts need plutoprint, which has no package for this platform")
    (folder / "request.json").write_text(json.dumps(request))
    (folder / "fonts.conf").write_text(_fonts(folder))
    command = [sys.executable, "-I", str(_PROGRAM), str(folder), str(os.getpid())]
    try:
        process = subprocess.run(
            [*command, str(memory), str(max(1, round(seconds)))],
            env={"FONTCONFIG_PATH": str(folder), "HOME": str(folder), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FormatError(_timeout_text(seconds)) from None
    if process.returncode:
        raise FormatError(_failure_text(process, memory, seconds))


def _fonts(folder: Path) -> str:
    """Return the configuration of the fonts: those of the packages first, then those of the host."""
    folders = [path for name in _FONT_PACKAGES if (path := _package_folder(name))]
    packages = "".join(f"<dir>{escape(str(path))}</dir>" for path in folders)
    return _FONTS.format(packages=packages, cache=escape(str(folder / "cache")))


def _package_folder(name: str) -> Path | None:
    spec = find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _timeout_text(seconds: float) -> str:
    return f"drawing the page took longer than {seconds:g} s; show fewer rows (page_rows)"


def _failure_text(process: subprocess.CompletedProcess[bytes], memory: int, seconds: float) -> str:
    if process.returncode == -24:  # SIGXCPU  # noqa: PLR2004
        return _timeout_text(seconds)
    lines = process.stderr.decode(errors="replace").strip().splitlines()
    last = lines[-1][:200] if lines else f"exit status {process.returncode}"
    if "memory" in last.lower() or process.returncode < 0 or process.returncode == 3:  # noqa: PLR2004
        return f"drawing the page needs more than {memory >> 20} MB; show fewer rows (page_rows)"
    return f"the page can't be drawn: {last}"
