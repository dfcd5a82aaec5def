"""The checks of `analytics-worker doctor`: each finding names its fix."""

from analytics_worker.doctor.findings import Finding, Level
from analytics_worker.doctor.runner import run_checks

__all__ = ["Finding", "Level", "run_checks"]
