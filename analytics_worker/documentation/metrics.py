"""Generate docs/metrics.md from the declarations of the metrics."""

from analytics_worker.exporter.app import families
from analytics_worker.exporter.metric_families import Family

HEADER = """\
# Metrics

Generated from the code by `python -m analytics_worker.documentation`. `make up` serves them on
<http://127.0.0.1:8000/metrics> (`PROMETHEUS_PORT`, `PROMETHEUS_HOST`). `analytics-worker exporter` serves
them without the stack.

- Counters count each event once and never decrease: neither a restart nor a deleted run changes them
  ([exporter.md](decisions/exporter.md)).
- A run that is retried manually and reaches a final state again counts again.
- `deployment` is `<flow>/<deployment>`, or the flow's name for a run without a deployment.
- No label contains a run, a host or a process. A metric without a value is omitted.

| metric | type | labels | meaning |
|---|---|---|---|
"""


def metrics_page() -> str:
    """Return the text of docs/metrics.md: one row per metric family."""
    return HEADER + "".join(map(_row, families()))


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    return f"| `{family.full_name}` | {family.kind} | {labels} | {family.help} |\n"
