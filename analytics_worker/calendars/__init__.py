"""Compute when something is due: by times of day or cron, days, a time zone, and working days.

Imports no flow: reports and rules share it.
"""
