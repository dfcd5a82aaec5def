"""Let the messages of a channel wait until its configuration is corrected.

Reads and writes ``ops.deliveries`` and ``ops.delivery_channels`` through `DeliveryStore`. No attempt is
counted. Safe to repeat: the start of the wait is recorded once.
"""

import logging
from collections.abc import Sequence

from analytics_worker.delivery.leases import ClaimedDelivery
from analytics_worker.delivery.store import DeliveryStore
from analytics_worker.send_result import one_line

RETRY_SECONDS = 300.0

_log = logging.getLogger(__name__)


def wait_for_configuration(
    store: DeliveryStore, channel: str, claimed: Sequence[ClaimedDelivery], reason: str
) -> int:
    """Postpone the due messages of a channel with the reason; return how many wait.

    Args:
        store: The sender's store.
        channel: The channel.
        claimed: Messages that this thread has claimed and not sent.
        reason: What is to be corrected.
    """
    line = one_line(reason)
    _log.warning("channel %s can't be used: %s", one_line(channel, 100), line)
    store.run("mark_not_configured", channel=channel, reason=line)
    return store.postpone(channel, claimed, RETRY_SECONDS, line, keep_old=False)
