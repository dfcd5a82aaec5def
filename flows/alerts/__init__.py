"""Alerts: rules on the warehouse, their states, and notifications about changes."""

from flows.alerts.pending import process_pending_alerts
from flows.alerts.threshold_alert import create_threshold_alert
from flows.alerts.thresholds import check_threshold_conditions
from flows.alerts.trigger import trigger_alert

__all__ = [
    "check_threshold_conditions",
    "create_threshold_alert",
    "process_pending_alerts",
    "trigger_alert",
]
