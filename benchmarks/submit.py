"""`submit(refresh_catalog)` until its result is here, beside the same statements as a Celery task.

The worker's is a run of the deployment on the product's server and worker; the other side a real Celery worker
with Redis, on the same warehouse, in turns. Both count the same relations.
"""

import statistics
import time

from analytics_worker.prefect_support.runs import submit
from analytics_worker.settings import project_root, settings
from benchmarks._celery import CeleryWorker, celery_worker
from benchmarks._live_stack import live_stack
from benchmarks._table import Row
from flows.analytics import refresh_catalog

ROUNDS = 9
STATEMENTS = ("lock_catalog", "upsert_relations", "upsert_columns", "catalog_totals")


def measure() -> list[Row]:
    """Medians of both sides, and how much longer the worker takes."""
    with live_stack("analytics", opportunities=500), celery_worker() as celery:
        rounds = [(_ours(), _theirs(celery)) for _ in range(1 + ROUNDS)]
    assert len({relations for sides in rounds for _, relations in sides}) == 1, rounds
    ours, theirs = (statistics.median(sides[n][0] for sides in rounds[1:]) for n in (0, 1))
    what = "submit → result of refresh_catalog"
    return [
        Row(what, ours, "s", "the same job under Celery", theirs),
        Row(f"{what}: longer than under Celery", ours - theirs, "s", goal="≤ 1 s"),
    ]


def _ours() -> tuple[float, int]:
    started = time.perf_counter()
    result = submit(refresh_catalog).get(timeout=120)
    return time.perf_counter() - started, result["stats"]["relations"]


def _theirs(celery: CeleryWorker) -> tuple[float, int]:
    folder = project_root() / "flows/analytics/sql"
    current = settings()
    return celery.refresh_catalog(
        statements=[(folder / f"{name}.sql").read_text() for name in STATEMENTS],
        parameters={
            "schemas": current.analytics_schemas,
            "stale_after_seconds": current.catalog_stale_after_hours * 3600,
        },
    )
