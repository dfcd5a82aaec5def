"""``docs/metrics.md``, which follows from the code: ``python -m analytics_worker.documentation`` writes it.

A contract test keeps the two equal.
"""

from analytics_worker.exporter.app import families
from analytics_worker.exporter.metric_families import Family

HEADER = """\
# Metrics

Made from the code by `python -m analytics_worker.documentation`. `make up` serves them on
<http://127.0.0.1:8000/metrics> (`PROMETHEUS_PORT`, `PROMETHEUS_HOST`); `python -m analytics_worker.exporter` does so alone.

- Counters count each thing once and never fall: neither a restart nor a deleted run changes them
  ([exporter.md](decisions/exporter.md)).
- A run that reaches a terminal state twice, because somebody retried it by hand, counts once for each.
- `deployment` is `<flow>/<deployment>`; of a run without deployment it is the flow's name.
- No label holds a run, a host or a process. A sample that has no value yet is left out.

| metric | type | labels | what it says |
|---|---|---|---|
"""


def metrics_page() -> str:
    """Text of docs/metrics.md: one row per family."""
    return HEADER + "".join(map(_row, families()))


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    return f"| `{family.full_name}` | {family.kind} | {labels} | {family.help} |\n"
