"""List the channels: what is configured, what was sent through them last, and what waits.

Reads the settings, the blocks and the outbox; writes nothing. No secret is part of it: a target is a
host, and a block's address is never repeated.
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
    unavailable,
)
from analytics_worker.delivery.statements import execute
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings


class ChannelOverview(NamedTuple):
    """One channel.

    Attributes:
        name: As rules and reports name it.
        kind: email, webhook, slack, …; empty if it can't be opened.
        target: Where it leads.
        rate: What it takes, such as 30/1m; empty: no limit.
        problem: Why it can't be used; empty if it can.
        waiting: Messages that are not sent yet.
        last_success: When it last accepted a message.
        last_failure: When an attempt last failed.
        last_error: The reason, if it was not sent since.
        paused_until: When the receiver's pause ends.
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


def channel_overviews(connection: Connection, stored: Sequence[str]) -> list[ChannelOverview]:
    """Return all channels that are configured, or that messages were enqueued for.

    Args:
        connection: To the database with the outbox.
        stored: Names of the blocks that are channels.
    """
    rows = {row["channel"]: row for row in execute(connection, "overview")}
    names = [*default_channels(), *stored, *rows]
    return [_overview(name, rows.get(name, {})) for name in dict.fromkeys(names)]


def default_channels() -> list[str]:
    """Return the channels that settings define."""
    chosen = settings()
    configured = {
        "email": chosen.alert_email_host,
        "webhook": chosen.alert_webhook_url,
        "slack": chosen.alert_slack_url,
    }
    return [name for name, value in configured.items() if value]


def stored_channels() -> list[str]:
    """Return the names of the blocks that are channels.

    Raises:
        ChannelUnavailableError: the Prefect API can't be asked.
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
        raise ChannelUnavailableError(unavailable("channel blocks", error)) from error
    return sorted(
        block.name
        for block in blocks
        if block.name and block.block_type and block.block_type.slug in CHANNEL_MODULES
    )


def _overview(name: str, row: Mapping[str, Any]) -> ChannelOverview:
    known = {field: row[field] for field in ChannelOverview._fields if field in row}
    overview = ChannelOverview(name)._replace(**known)
    try:
        found = channel(name)
        return overview._replace(kind=found.kind, target=found.target, rate=_rate_text(found))
    except (PermanentError, ChannelUnavailableError) as error:
        return overview._replace(problem=str(error))


def _rate_text(found: Channel) -> str:
    rate = rate_of(found)
    return f"{rate.messages}/{format_duration(rate.period)}" if rate else ""
