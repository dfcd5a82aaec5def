"""``make bench``: each job side by side with the plain way of doing it, in one run.

``python -m benchmarks [name ...]`` runs the named modules of this folder only. Every module has
``measure() -> list[Row]``: interleaved sides, medians, and a check that both sides did the work.
A run of all of them, or ``--write``, brings README's table and docs/performance.md up to date.
"""

import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from benchmarks import _report
from benchmarks._alone import BrokenBenchmarkError, alone
from benchmarks.table import Row, render

NOT_BENCHMARKS = {"__init__", "__main__", "table", "warehouse"}
ONLY_BY_NAME = {"soak"}
"""They take longer than anybody waits for all the others."""


def names() -> list[str]:
    """Every benchmark, in alphabetical order."""
    folder = Path(__file__).parent
    found = {path.stem for path in folder.glob("*.py")} | {
        p.parent.name for p in folder.glob("*/__init__.py")
    }
    return sorted(name for name in found - NOT_BENCHMARKS if not name.startswith("_"))


def main(arguments: list[str]) -> int:
    """Run the benchmarks; one that breaks is named at the end and the others still run."""
    wanted = [name for name in arguments if name != "--write"]
    unknown = set(wanted) - set(names())
    if unknown:
        print(f"No such benchmark: {', '.join(sorted(unknown))}. There are: {', '.join(names())}")
        return 2
    rows: list[Row] = []
    broken: list[str] = []
    for name in wanted or [name for name in names() if name not in ONLY_BY_NAME]:
        started = time.monotonic()
        print(f"{name} ...", flush=True)
        try:
            rows += alone(name)
        except (BrokenBenchmarkError, BrokenProcessPool) as error:
            broken.append(f"{name}: {error}")
        print(f"{name} took {time.monotonic() - started:.0f} s", flush=True)
    print("\n" + render(rows))
    for line in broken:
        print(f"BROKEN {line}")
    if not wanted or "--write" in arguments:
        _report.write()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
