"""Looks over everything once and says what to do: the checks behind `analytics-worker doctor`."""

from analytics_worker.doctor.findings import Finding, Level
from analytics_worker.doctor.runner import run_checks

__all__ = ["Finding", "Level", "run_checks"]
