"""The original's registry as Celery would import it: twenty tasks in five queues, and beat's schedule.

Runs in an environment of its own and imports nothing of the project. The tasks do nothing, because the
processes are measured at rest; their modules import what such tasks need.
"""

from os import environ

import jinja2  # noqa: F401
import openpyxl  # noqa: F401
import prometheus_client  # noqa: F401
import psutil  # noqa: F401
import psycopg2  # noqa: F401
import requests  # noqa: F401
import sqlalchemy.dialects.postgresql.psycopg2  # noqa: F401
from celery import Celery

REGISTRY = {
    "analytics": (
        "refresh_catalog",
        "refresh_materialized_views",
        "update_query_statistics",
        "cleanup_old_refresh_logs",
    ),
    "dbt_tasks": ("run_dbt_models", "run_dbt_tests", "dbt_docs_generate", "dbt_freshness_check"),
    "alerts": (
        "process_pending_alerts",
        "trigger_alert",
        "check_threshold_conditions",
        "create_threshold_alert",
    ),
    "reports": (
        "generate_scheduled_reports",
        "generate_single_report",
        "cleanup_old_reports",
        "generate_ad_hoc_report",
    ),
    "monitoring": (
        "collect_worker_metrics",
        "health_check",
        "cleanup_expired_tasks",
        "update_task_statistics",
    ),
}
SCHEDULE = {
    "analytics.refresh_catalog": 300,
    "analytics.refresh_materialized_views": 3600,
    "alerts.process_pending_alerts": 120,
    "alerts.check_threshold_conditions": 300,
    "monitoring.collect_worker_metrics": 60,
    "monitoring.health_check": 300,
}

app = Celery("registry", broker=environ["BENCH_REDIS"], backend=environ["BENCH_REDIS"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_routes={f"{module}.*": {"queue": module.removesuffix("_tasks")} for module in REGISTRY},
    beat_schedule={name: {"task": name, "schedule": seconds} for name, seconds in SCHEDULE.items()},
)


def do_nothing() -> str:
    """What a task at rest does."""
    return "done"


for _module, _names in REGISTRY.items():
    for _name in _names:
        app.task(do_nothing, name=f"{_module}.{_name}")
