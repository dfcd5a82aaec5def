"""Write the results of `make bench`: the last rows of every benchmark, README's table, docs/performance.md.

Rows are kept below the state folder by benchmark, so that one of them can be measured again alone.
"""

import json
import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from analytics_worker.settings import project_root
from benchmarks import _plot
from benchmarks._scaling_plot import curves
from benchmarks._table import Row, render

BEGIN, END = "<!-- make bench writes this table -->", "<!-- end of the table -->"
PLOTS = {
    "runs": "A month of history: the wait for a start, and the API",
    "rules": "Alert rules evaluated in one run",
    "relations": "Relations in the catalog",
    "rows": "Rows of a report",
}

INTRODUCTION = """\
Written by `make bench`, which lets the sides take turns, takes medians, and checks that each side did
its work. Compare within a line only: absolute numbers are those of one machine. A ratio below 1 is
better; ✓ and ✗ say whether a goal is met."""


def keep(name: str, rows: Sequence[Row]) -> None:
    """Replace the stored rows of a benchmark."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps([asdict(row) for row in rows], indent=1))


def stored_rows() -> list[Row]:
    """Return the last rows of every benchmark."""
    files = sorted(_folder().glob("*.json"))
    return [Row(**row) for file in files for row in json.loads(file.read_text())]


def _folder() -> Path:
    return project_root() / ".state" / "benchmarks" / "rows"


def write() -> None:
    """Bring README and docs/performance.md up to date."""
    rows = stored_rows()
    readme = project_root() / "README.md"
    compared = [row for row in rows if row.goal and row.other]
    table = f"{BEGIN}\n{_machine()}\n\n{render(compared)}\n{END}"
    readme.write_text(
        re.sub(f"{BEGIN}.*?{END}", lambda _: table, readme.read_text(), flags=re.DOTALL)
    )
    docs = project_root() / "docs"
    pictures = docs / "performance"
    pictures.mkdir(exist_ok=True)
    (docs / "performance.md").write_text(_page(rows, list(_draw(pictures))))


def _machine() -> str:
    with Path("/proc/meminfo").open() as file:
        gigabytes = round(int(file.readline().split()[1]) / 2**20)
    return (
        f"{os.cpu_count()} cores, {gigabytes} GB, Python {platform.python_version()},"
        f" Prefect {version('prefect')}; medians of both sides in turns on one machine."
    )


def _draw(folder: Path) -> Iterable[str]:
    """Write one picture per plot, and yield its Markdown."""
    stored_curves = list(curves())
    for plot, title in PLOTS.items():
        lines = [curve for curve in stored_curves if curve.plot == plot]
        if lines:
            (folder / f"{plot}.svg").write_text(_plot.svg(lines))
            yield f"## {title}\n\n![{title}](performance/{plot}.svg)"


def _page(rows: Sequence[Row], pictures: Sequence[str]) -> str:
    parts = [
        "# Performance",
        INTRODUCTION,
        _machine(),
        render(rows),
        *pictures,
    ]
    return "\n\n".join(parts) + "\n"
