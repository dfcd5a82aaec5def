"""Looks over everything once and says what to do: the checks behind `analytics-worker doctor`."""

from stack.doctor.examine import examine
from stack.doctor.findings import Finding, Level

__all__ = ["Finding", "Level", "examine"]
