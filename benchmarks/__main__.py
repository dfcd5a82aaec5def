"""``make bench``: each job side by side with the plain way of doing it, in one run.

``python -m benchmarks [name ...]`` runs the named modules of this folder only. Every module has
``measure() -> list[Row]``: interleaved sides, medians, and a check that both sides did the work.
A run of all of them, or ``--write``, brings README's table and docs/performance.md up to date.
``python -m benchmarks dbt_projects PATH ...`` compares the worker with plain dbt on your own projects.
"""

import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from benchmarks import _dbt_projects, _performance_page
from benchmarks._isolated_process import BrokenBenchmarkError, run_isolated
from benchmarks._table import Row, render

ONLY_BY_NAME = {"soak", "idle"}
"""They take too long for a run of all benchmarks."""


def names() -> list[str]:
    """Every benchmark, in alphabetical order."""
    folder = Path(__file__).parent
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def main(arguments: list[str]) -> int:
    """Run the benchmarks; one that breaks is named at the end and the others still run."""
    if arguments[:1] == ["dbt_projects"]:
        _dbt_projects.compare([Path(path) for path in arguments[1:]])
        return 0
    selected = [name for name in arguments if name != "--write"]
    unknown = set(selected) - set(names())
    if unknown:
        print(f"No such benchmark: {', '.join(sorted(unknown))}. There are: {', '.join(names())}")
        return 2
    rows: list[Row] = []
    broken: list[str] = []
    for name in selected or [name for name in names() if name not in ONLY_BY_NAME]:
        started = time.monotonic()
        print(f"{name} ...", flush=True)
        try:
            rows += run_isolated(name)
        except (BrokenBenchmarkError, BrokenProcessPool) as error:
            broken.append(f"{name}: {error}")
        print(f"{name} took {time.monotonic() - started:.0f} s", flush=True)
    print("\n" + render(rows))
    for line in broken:
        print(f"BROKEN {line}")
    if not selected or "--write" in arguments:
        _performance_page.write()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
