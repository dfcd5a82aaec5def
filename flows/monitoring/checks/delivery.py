"""Check whether messages wait for a channel or recipient that is not configured.

Reads the outbox and ``ops.incidents``; writes nothing.
"""

from collections.abc import Sequence

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import waiting_for_configuration
from analytics_worker.delivery.outbox import WaitingChannel
from flows.monitoring.checks.runner import Finding
from flows.monitoring.incidents.content import no_recipient_text

FIX = "Look at `analytics-worker channels`."
NO_RECIPIENT_FIX = "Set ALERT_EMAIL_*, ALERT_WEBHOOK_URL, ALERT_SLACK_URL or MONITORING_CHANNELS."


def check_messages() -> Finding:
    """Check for channels that are not configured, and for incidents without a recipient."""
    with warehouse() as connection:
        waiting = waiting_for_configuration(connection)
        rows = run_sql(connection, "monitoring/list_unnotified")
        unnotified = [row["cause_name"] for row in rows]
    if waiting:
        return Finding("degraded", _waiting_text(waiting), FIX)
    if unnotified:
        return Finding("degraded", no_recipient_text(unnotified), NO_RECIPIENT_FIX)
    return Finding("healthy", "no message waits for configuration")


def _waiting_text(waiting: Sequence[WaitingChannel]) -> str:
    return "; ".join(_channel_text(each) for each in waiting)


def _channel_text(waiting: WaitingChannel) -> str:
    count, since = waiting.messages, f"{waiting.oldest:%Y-%m-%d %H:%M} UTC"
    messages = "1 message has" if count == 1 else f"{count} messages have"
    return f"{messages} waited for channel {waiting.channel!r} since {since}: {waiting.reason}"
