"""Check whether messages wait for something that only a person can set.

Reads the outbox and ``ops.deployment_health``; writes nothing.
"""

from collections.abc import Sequence

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import waiting_for_configuration
from analytics_worker.delivery.outbox import WaitingChannel
from flows.monitoring._checks import Finding
from flows.monitoring._health_messages import untold_text

FIX = "Look at `analytics-worker channels`."
UNTOLD_FIX = "Set ALERT_EMAIL_*, ALERT_WEBHOOK_URL, ALERT_SLACK_URL or MONITORING_CHANNELS."


def check_messages() -> Finding:
    """Look for channels that nobody configured, and for failures without a recipient."""
    with warehouse() as connection:
        waiting = waiting_for_configuration(connection)
        untold = [row["deployment"] for row in run_sql(connection, "monitoring/list_untold")]
    if waiting:
        return Finding("degraded", _waiting_text(waiting), FIX)
    if untold:
        return Finding("degraded", untold_text(untold), UNTOLD_FIX)
    return Finding("healthy", "no message waits for configuration")


def _waiting_text(waiting: Sequence[WaitingChannel]) -> str:
    return "; ".join(_channel_text(each) for each in waiting)


def _channel_text(waiting: WaitingChannel) -> str:
    count, since = waiting.messages, f"{waiting.oldest:%Y-%m-%d %H:%M} UTC"
    messages = "1 message has" if count == 1 else f"{count} messages have"
    return f"{messages} waited for channel {waiting.channel!r} since {since}: {waiting.reason}"
