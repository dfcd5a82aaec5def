"""Write messages and their deliveries, and read their results, in the caller's transaction.

Reads and writes ``ops.messages`` and ``ops.deliveries``. Enqueuing again is safe: a message is identified
by its id, a delivery by its idempotency key. Characters that PostgreSQL's JSON can't store are replaced.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Connection

from analytics_worker.delivery.message import Domain, Message, Recipient
from analytics_worker.delivery.statements import Row, execute

MAX_NAME = 500
"""Longest text that is part of an index; PostgreSQL refuses rows with more than 2,704 bytes there."""
MAX_RECIPIENT = 2000


_REFUSED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
"""What may be refused in JSON: NUL, and halves of surrogate pairs."""


class WaitingChannel(NamedTuple):
    """A channel that is not configured, and the messages that wait for it."""

    channel: str
    messages: int
    oldest: datetime
    reason: str | None


def enqueue(connection: Connection, messages: Sequence[Message]) -> int:
    """Enqueue messages; return the number of deliveries."""
    return write(connection, [(message, {}) for message in messages])


def write(connection: Connection, messages: Iterable[tuple[Message, Mapping[str, Any]]]) -> int:
    """Enqueue messages with further columns of ``ops.messages``; return the number of deliveries."""
    rows: list[dict[str, Any]] = []
    deliveries: list[dict[str, Any]] = []
    for message, columns in messages:
        identified = message if message.id else message._replace(id=uuid4())
        rows.append(_message_row(identified) | dict(columns))
        deliveries += _delivery_rows(identified)
    if not rows:
        return 0
    return len(execute(connection, "enqueue", messages=_json(rows), deliveries=_json(deliveries)))


def _message_row(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "domain": message.domain,
        "kind": message.kind,
        "topic": message.topic,
        "follows": message.follows,
        "owner": message.owner,
        "fallback": [[each.channel, each.address] for each in message.fallback],
        "reference": message.reference[:MAX_NAME],
        "content": message.content.stored(),
        "digest_key": message.digest_key[:MAX_NAME],
        "group_seconds": message.group_wait.total_seconds(),
        "with_files": bool(message.content.attachments),
    }


def _delivery_rows(message: Message) -> list[dict[str, Any]]:
    return [
        {
            "message_id": message.id,
            "channel": each.channel[:MAX_NAME],
            "recipient": each.address[:MAX_RECIPIENT],
            "role": each.role,
            "key": _key(message, each),
        }
        for each in message.recipients
    ]


def _key(message: Message, recipient: Recipient) -> str:
    chosen = message.keys.get(recipient, "")
    return chosen if 0 < len(chosen) <= MAX_NAME else default_key(message.id, recipient)


def default_key(message_id: UUID | None, recipient: Recipient) -> str:
    """Derive the idempotency key of a delivery from its message and recipient."""
    text = f"{recipient.channel}\n{recipient.address}".encode(errors="replace")
    return f"{message_id}.{hashlib.sha256(text).hexdigest()[:12]}"


def _json(value: object) -> str:
    try:
        text = json.dumps(value, default=str, allow_nan=False)
    except (TypeError, ValueError):
        text = None
    if text is None or _REFUSED.search(text):
        return json.dumps(storable(value), default=str)
    return text


def storable(value: Any) -> Any:
    """Return a copy without what jsonb refuses: NUL, lone surrogates, NaN, infinity."""
    match value:
        case str():
            return value.replace("\x00", "\ufffd").encode(errors="replace").decode()
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {storable(str(key)): storable(each) for key, each in value.items()}
        case list() | tuple():
            return [storable(each) for each in value]
        case _:
            return value


def cancel(connection: Connection, message_ids: Sequence[UUID], reason: str) -> int:
    """Cancel the deliveries that are not being sent yet; return how many."""
    return len(execute(connection, "cancel", ids=_texts(message_ids), reason=storable(reason)))


def resend(connection: Connection, message_id: UUID, *, failed_only: bool) -> int:
    """Resend a message: failed deliveries with their key, others with a new one; return how many."""
    return len(execute(connection, "resend", id=message_id, failed_only=failed_only))


def next_attempt_at(connection: Connection, domain: Domain | None) -> datetime | None:
    """Return the time of the next attempt of a waiting message of a domain."""
    return execute(connection, "next_attempt", domain=domain)[0]["at"]


def prune(
    connection: Connection, domain: Domain, older_than: timedelta, *, kind: str | None = None
) -> int:
    """Delete settled messages older than that (of one kind), 5,000 at most; return how many."""
    seconds = older_than.total_seconds()
    return len(execute(connection, "prune", domain=domain, kind=kind, age_seconds=seconds))


def undelivered(
    connection: Connection,
    domain: Domain | None = None,
    message_ids: Sequence[UUID] | None = None,
) -> Sequence[Row]:
    """Return deliveries that wait or failed, with the reason; 1,000 at most."""
    ids = None if message_ids is None else _texts(message_ids)
    return execute(connection, "undelivered", domain=domain, ids=ids)


def delivery_statuses(connection: Connection, message_ids: Sequence[UUID]) -> dict[str, int]:
    """Count the deliveries of some messages by their status."""
    rows = execute(connection, "statuses", ids=_texts(message_ids))
    return {row["status"]: row["deliveries"] for row in rows}


def messages_of(
    connection: Connection, domain: Domain, reference: str, *, kind: str | None = None
) -> list[UUID]:
    """Return the messages with this reference of a domain, in the order in which they were enqueued."""
    rows = execute(connection, "messages_of", domain=domain, reference=reference, kind=kind)
    return [row["id"] for row in rows]


def waiting_for_configuration(connection: Connection) -> list[WaitingChannel]:
    """Return the channels whose messages wait until the channel is configured."""
    rows = execute(connection, "waiting_for_configuration")
    return [WaitingChannel(**row) for row in rows]


def _texts(ids: Sequence[UUID]) -> list[str]:
    return [str(each) for each in ids]
