"""Store scaling curves, measured at several sizes, until the plots are drawn."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from analytics_worker.settings import project_root


@dataclass(frozen=True)
class Curve:
    """One line of a plot.

    Attributes:
        plot: What grows: runs, rules, relations, rows.
        size: What the sizes count.
        name: What was measured.
        unit: Of the values.
        points: Sizes and values.
    """

    plot: str
    size: str
    name: str
    unit: str
    points: list[tuple[int, float]]


def _folder() -> Path:
    return project_root() / ".state" / "benchmarks" / "curves"


def keep(curve: Curve) -> None:
    """Replace the stored curve."""
    _folder().mkdir(parents=True, exist_ok=True)
    letters = (c if c.isalnum() else "-" for c in f"{curve.plot} {curve.name}")
    (_folder() / f"{''.join(letters)}.json").write_text(json.dumps(asdict(curve)))


def curves() -> Iterator[Curve]:
    """Yield all stored curves."""
    for path in sorted(_folder().glob("*.json")):
        yield Curve(**json.loads(path.read_text()))
