"""Take pictures of pages with a headless Chromium.

Reads the program from PATH; writes the picture and a temporary folder, which is removed.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from analytics_worker.documentation.images.png import MAX_BYTES, read_png
from analytics_worker.errors import PermanentError
from flows.reports.formats.pages.renderer_main import encode_png

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
MAX_HEIGHT = 1250
"""Pixels from the top; below is only more of the same."""
_TIMEOUT_SECONDS = 90
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
    "--disable-background-networking", "--disable-dev-shm-usage",
)  # fmt: skip
_DARK = "--blink-settings=preferredColorScheme=0"
_MEASURE = "<script>document.title='height '+document.documentElement.scrollHeight</script>"


def chromium() -> str:
    """Return the path of Chromium.

    Raises:
        PermanentError: it is not installed.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        names = ", ".join(PROGRAMS)
        raise PermanentError(
            f"Pictures need a browser: none of {names} is on PATH. Install one (Debian: apt install chromium)."
        )
    return program


def take_picture(html: str, path: Path, width: int, *, dark: bool = False) -> None:
    """Write a picture of a page, as high as the page is."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        page = Path(name) / "page.html"
        page.write_text(html + _MEASURE)
        options = [f"--user-data-dir={name}/profile", *([_DARK] if dark else [])]
        measured = _run([*options, f"--window-size={width},100", "--dump-dom", page.as_uri()])
        found = re.search(r"<title>height (\d+)</title>", measured)
        height = min(int(found[1]), MAX_HEIGHT) if found else MAX_HEIGHT
        screenshot = Path(name) / "page.png"
        size = f"--window-size={width},{height}"
        _run([*options, size, f"--screenshot={screenshot}", page.as_uri()])
        path.write_bytes(small_png(screenshot.read_bytes()))


def small_png(data: bytes) -> bytes:
    """Return a picture with at most 256 colors.

    Raises:
        PermanentError: it is still larger than a picture of the documentation may be.
    """
    small = encode_png(*read_png(data))
    if len(small) > MAX_BYTES:
        raise PermanentError(
            f"The picture has {len(small):,} bytes; expected at most {MAX_BYTES:,}."
        )
    return small


def _run(arguments: list[str]) -> str:
    command = [chromium(), *_FLAGS, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS
    )
    if done.returncode:
        raise PermanentError(f"Chromium failed: {done.stderr.strip()[-300:]}")
    return done.stdout
