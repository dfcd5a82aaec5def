"""List the channels with their configuration, their last results, and their waiting messages.

Reads the settings, the blocks and the outbox; writes nothing. The list contains no secret: a target is
a host, and a block's address is never repeated.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection

from analytics_worker.definitions.durations import format_duration
from analytics_worker.delivery.channels.base import Channel
from analytics_worker.delivery.pacing import rate_of
from analytics_worker.delivery.routing import (
    CHANNEL_MODULES,
    ChannelUnavailableError,
    channel,
    unavailable_message,
)
from analytics_worker.delivery.statements import execute
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings


class ChannelOverview(NamedTuple):
    """One channel.

    Attributes:
        name: The name that rules and reports use.
        kind: email, webhook, slack, …; empty if it can't be opened.
        target: Its address without secrets.
        rate: Its maximal rate, such as 30/1m; empty: no limit.
        problem: The reason why it can't be used; empty if it can.
        waiting: The number of messages that are not sent yet.
        last_success: The time of the last message that was sent.
        last_failure: The time of the last failed attempt.
        last_error: The error of that attempt.
        paused_until: The end of the current pause.
        waits_for: What a sender found to be corrected in its configuration before messages are sent.
    """

    name: str
    kind: str = ""
    target: str = ""
    rate: str = ""
    problem: str = ""
    waiting: int = 0
    last_success: datetime | None = None
    last_failure: datetime | None = None
    last_error: str | None = None
    paused_until: datetime | None = None
    waits_for: str | None = None

    @property
    def works_again(self) -> bool:
        """Whether a message was sent after the last failed attempt."""
        success, failure = self.last_success, self.last_failure
        return success is not None and failure is not None and success > failure


def channel_overviews(connection: Connection, stored: Sequence[str]) -> list[ChannelOverview]:
    """Return all channels that are configured or have messages.

    Args:
        connection: A connection to the database with the outbox.
        stored: The names of channel blocks.
    """
    rows = {row["channel"]: row for row in execute(connection, "overview")}
    names = [*default_channels(), *stored, *rows]
    return [_overview(name, rows.get(name, {})) for name in dict.fromkeys(names)]


def default_channels() -> list[str]:
    """Return the channels that the settings define."""
    current = settings()
    configured = {
        "email": current.alert_email_host,
        "webhook": current.alert_webhook_url,
        "slack": current.alert_slack_url,
    }
    return [name for name, value in configured.items() if value]


def channel_problem(name: str) -> str:
    """Return why a channel can't be used, or "" if it can; its name is looked up, nothing is opened."""
    try:
        channel(name).check_target()
    except (PermanentError, ChannelUnavailableError) as error:
        return str(error)
    return ""


def stored_channels() -> list[str]:
    """Return the names of channel blocks.

    Raises:
        ChannelUnavailableError: the Prefect API is unavailable.
    """
    from httpx import HTTPError  # noqa: PLC0415
    from prefect.exceptions import PrefectException  # noqa: PLC0415  # takes a second

    from analytics_worker.prefect_support.api_client import api_client  # noqa: PLC0415
    from analytics_worker.prefect_support.pagination import pages  # noqa: PLC0415

    try:
        with api_client() as client:
            read = partial(client.read_block_documents, include_secrets=False)
            blocks = list(pages(read))
    except PermanentError as error:
        raise ChannelUnavailableError(str(error)) from error
    except (PrefectException, HTTPError, OSError, RuntimeError) as error:
        raise ChannelUnavailableError(unavailable_message("channel blocks", error)) from error
    return sorted(
        block.name
        for block in blocks
        if block.name and block.block_type and block.block_type.slug in CHANNEL_MODULES
    )


def _overview(name: str, row: Mapping[str, Any]) -> ChannelOverview:
    values = {field: row[field] for field in ChannelOverview._fields if field in row}
    overview = ChannelOverview(name)._replace(**values)
    try:
        opened = channel(name)
        overview = overview._replace(kind=opened.kind, target=opened.target)
        opened.check_target()
        return overview._replace(rate=_rate_text(opened))
    except (PermanentError, ChannelUnavailableError) as error:
        return overview._replace(problem=str(error))


def _rate_text(opened: Channel) -> str:
    rate = rate_of(opened)
    return f"{rate.messages}/{format_duration(rate.period)}" if rate else ""
