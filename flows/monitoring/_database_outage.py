"""Tells that the analytics database is away, and that it is back: all other notices are stored in it.

Reads and writes ``database-away.json`` in the state folder; sends to the default channels. Told once
per outage, and not before its second minute: a database that is only started again is no news. A
channel that does not take a message gets it at the next minute, with the same key.
"""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict
from uuid import UUID, uuid4, uuid5

from analytics_worker.settings import settings
from flows.monitoring._notification_text import (
    Message,
    deliver,
    of_database_away,
    of_database_back,
    recipients,
)

NEWS = timedelta(seconds=45)
"""Of an outage that is worth telling; monitoring looks once a minute."""


class Outage(TypedDict):
    """What the file says."""

    id: str
    since: str
    told: list[list[str]]
    """Recipients that know, as channel and address."""


def database_is_away(reason: str) -> list[str]:
    """Tell those who do not know yet; which channels did not take it."""
    outage = _read() or Outage(id=str(uuid4()), since=_now().isoformat(), told=[])
    _write(outage)
    if _age(outage) < NEWS:
        return []
    unaware = [one for one in recipients() if list(one) not in outage["told"]]
    message = of_database_away(outage["since"], reason)
    done, problems = _tell(message, unaware, lambda one: _key(outage, "away", one))
    _write({**outage, "told": [*outage["told"], *map(list, done)]})
    return problems


def database_is_back() -> list[str]:
    """Tell those who were told that it was away; which channels did not take it."""
    outage = _read()
    if outage is None:
        return []
    aware = [(channel, recipient) for channel, recipient in outage["told"]]
    message = of_database_back(outage["since"], _age(outage))
    done, problems = _tell(message, aware, lambda one: _key(outage, "back", one))
    left = [list(one) for one in aware if one not in done]
    if left:
        _write({**outage, "told": left})
    else:
        _path().unlink(missing_ok=True)
    return problems


def _tell(
    message: Message, to: list[tuple[str, str]], key: Callable[[tuple[str, str]], str]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Who need not be told again, and what went wrong."""
    done: list[tuple[str, str]] = []
    problems: list[str] = []
    for one in to:
        outcome = deliver(message, *one, key(one))
        if outcome.status in {"sent", "permanent"}:
            done.append(one)
        if outcome.status != "sent":
            problems.append(f"{one[0]}: {outcome.detail}")
    return done, problems


def _key(outage: Outage, kind: str, recipient: tuple[str, str]) -> str:
    return str(uuid5(UUID(outage["id"]), " ".join((kind, *recipient))))


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
