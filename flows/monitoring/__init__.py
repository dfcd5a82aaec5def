"""The monitoring flows: metrics, health, statistics and retention of the worker itself."""

from flows.monitoring.health import health_check
from flows.monitoring.run_retention import cleanup_expired_tasks
from flows.monitoring.task_statistics import update_task_statistics
from flows.monitoring.worker_metrics import collect_worker_metrics

__all__ = [
    "cleanup_expired_tasks",
    "collect_worker_metrics",
    "health_check",
    "update_task_statistics",
]
