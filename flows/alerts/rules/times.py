"""The time zone of a rule.

Reads the settings; writes nothing.
"""

from analytics_worker.settings import settings
from flows.alerts.rules.model import Rule


def rule_timezone(rule: Rule) -> str:
    """Return the time zone of the rule, else the one of ALERT_TIMEZONE."""
    return rule.timezone or settings().alert_timezone
