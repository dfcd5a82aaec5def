"""Notify of outages of the analytics database without it: all other messages are stored in it.

Reads and writes ``database-away.json`` in the state folder; sends without the outbox. Recipients are notified
once per outage, and not in its first minute: a restart of the database is not an outage. A message that a
channel does not accept is retried a minute later, with the same key.
"""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NotRequired, TypedDict
from uuid import UUID, uuid4, uuid5

from analytics_worker.delivery import (
    ChannelUnavailableError,
    Content,
    Message,
    Recipient,
    send_once,
)
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SendResult, unreachable
from analytics_worker.settings import settings
from flows.monitoring.notifications.recipients import addressed_recipients
from flows.monitoring.notifications.text import database_outage_content, database_recovery_content

MIN_OUTAGE = timedelta(seconds=45)
"""Shortest outage that recipients are notified of; monitoring checks once a minute."""

Results = dict[Recipient, SendResult]


class Outage(TypedDict):
    """The content of the file."""

    id: str
    since: str
    told: list[list[str]]
    """Notified recipients, as channel and address."""
    refused: NotRequired[list[list[str]]]
    """Recipients that can't be notified, in the same form."""


def notify_outage(reason: str) -> list[str]:
    """Notify recipients of an outage, each once; return which channels failed, and why."""
    outage = _read() or Outage(id=str(uuid4()), since=_now().isoformat(), told=[])
    _write(outage)
    if _age(outage) < MIN_OUTAGE:
        return []
    notified, refused = outage["told"], outage.get("refused", [])
    done = notified + refused
    remaining = [each for each in addressed_recipients() if _as_row(each) not in done]
    content = database_outage_content(outage["since"], reason)
    results = _send(content, remaining, lambda to: _key(outage, "away", to))
    notified, refused = notified + _rows(results, "sent"), refused + _rows(results, "permanent")
    _write({**outage, "told": notified, "refused": refused})
    return _problems(results)


def notify_recovery() -> list[str]:
    """Notify recipients of the outage of its end; return which channels failed, and why."""
    outage = _read()
    if outage is None:
        return []
    notified = [Recipient(channel, address) for channel, address in outage["told"]]
    content = database_recovery_content(outage["since"], _age(outage))
    results = _send(content, notified, lambda to: _key(outage, "back", to))
    done = _rows(results, "sent") + _rows(results, "permanent")
    if remaining := [row for row in outage["told"] if row not in done]:
        _write({**outage, "told": remaining})
    else:
        _path().unlink(missing_ok=True)
    return _problems(results)


def _send(content: Content, to: list[Recipient], key: Callable[[Recipient], str]) -> Results:
    return {each: _attempt(content, each, key(each)) for each in to}


def _attempt(content: Content, to: Recipient, key: str) -> SendResult:
    message = Message("monitoring", "database", content, [to])
    try:
        return send_once(to.channel, message, to, key)
    except (PermanentError, ChannelUnavailableError) as error:
        return unreachable(str(error))  # retried until it is configured


def _rows(results: Results, status: str) -> list[list[str]]:
    return [_as_row(to) for to, result in results.items() if result.status == status]


def _problems(results: Results) -> list[str]:
    failed = [(to, result) for to, result in results.items() if result.status != "sent"]
    return [f"{to.channel}: {result.detail}" for to, result in failed]


def _as_row(recipient: Recipient) -> list[str]:
    return [recipient.channel, recipient.address]


def _key(outage: Outage, kind: str, to: Recipient) -> str:
    return str(uuid5(UUID(outage["id"]), f"{kind} {to.channel} {to.address}"))


def _age(outage: Outage) -> timedelta:
    return _now() - datetime.fromisoformat(outage["since"])


def _now() -> datetime:
    return datetime.now(UTC)


def _path() -> Path:
    return settings().state_dir / "database-away.json"


def _read() -> Outage | None:
    try:
        return json.loads(_path().read_text())
    except (FileNotFoundError, ValueError):
        return None


def _write(outage: Outage) -> None:
    path = _path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(outage))
    temporary.replace(path)
