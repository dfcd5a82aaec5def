"""Notify that the analytics database is away, and that it is back: all other messages are stored in it.

Reads and writes ``database-away.json`` in the state folder; sends past the outbox. Recipients are
notified once per outage, and not before its second minute: a database that is only restarted is no news.
A channel that does not take a message gets it at the next minute, with the same key.
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
from flows.monitoring._notification_text import of_database_away, of_database_back
from flows.monitoring._recipients import reachable_recipients

MIN_OUTAGE = timedelta(seconds=45)
"""Shortest outage that recipients are notified of; monitoring looks once a minute."""

Results = dict[Recipient, SendResult]


class Outage(TypedDict):
    """What the file holds."""

    id: str
    since: str
    told: list[list[str]]
    """Recipients that were notified, as channel and address."""
    refused: NotRequired[list[list[str]]]
    """Recipients that can't be, in the same form."""


def database_is_away(reason: str) -> list[str]:
    """Notify those who do not know yet; return which channels did not take the message, and why."""
    outage = _read() or Outage(id=str(uuid4()), since=_now().isoformat(), told=[])
    _write(outage)
    if _age(outage) < MIN_OUTAGE:
        return []
    told, refused = outage["told"], outage.get("refused", [])
    unaware = [each for each in reachable_recipients() if _row(each) not in told + refused]
    content = of_database_away(outage["since"], reason)
    results = _send(content, unaware, lambda to: _key(outage, "away", to))
    told, refused = told + _with(results, "sent"), refused + _with(results, "permanent")
    _write({**outage, "told": told, "refused": refused})
    return _problems(results)


def database_is_back() -> list[str]:
    """Notify those who know that it was away; return which channels did not take the message, and why."""
    outage = _read()
    if outage is None:
        return []
    aware = [Recipient(channel, address) for channel, address in outage["told"]]
    content = of_database_back(outage["since"], _age(outage))
    results = _send(content, aware, lambda to: _key(outage, "back", to))
    done = _with(results, "sent") + _with(results, "permanent")
    if left := [row for row in outage["told"] if row not in done]:
        _write({**outage, "told": left})
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
        return unreachable(str(error))  # until somebody configures it


def _with(results: Results, status: str) -> list[list[str]]:
    return [_row(to) for to, result in results.items() if result.status == status]


def _problems(results: Results) -> list[str]:
    failed = [(to, result) for to, result in results.items() if result.status != "sent"]
    return [f"{to.channel}: {result.detail}" for to, result in failed]


def _row(recipient: Recipient) -> list[str]:
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
