"""Show incidents, and store what people do to them: acknowledge, assign, snooze, comment.

Reads and writes ops.incidents and its history, one transaction each. Assigning enqueues a message.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import enqueue
from analytics_worker.errors import PermanentError
from flows.monitoring.incidents.notices import opening_messages
from flows.monitoring.incidents.owners import incident_recipients
from flows.monitoring.incidents.reach import reach_of
from flows.monitoring.incidents.store import load_incidents, save_incidents

_ID = re.compile(r"[0-9a-f-]{1,36}")


class UnknownIncidentError(PermanentError):
    """No incident has the id, or several do; the message names the fix."""


def list_incidents(since: datetime | None = None) -> Sequence[RowMapping]:
    """Return the open incidents, and those that were resolved since a time."""
    with warehouse() as connection:
        return run_sql(connection, "monitoring/show_incidents", ids=None, since=since)


def show_incident(prefix: str) -> RowMapping:
    """Return one incident with its units and its history."""
    with warehouse() as connection:
        ids = [_find(connection, prefix)]
        return run_sql(connection, "monitoring/show_incidents", ids=ids, since=None)[0]


def acknowledge(prefix: str, actor: str) -> UUID:
    """Record that a user works on an incident: growth and falls of its severity are not notified."""
    now = datetime.now(UTC)
    return _act(prefix, "acknowledged", actor, acknowledged_at=now, acknowledged_by=actor)


def comment(prefix: str, actor: str, text: str) -> UUID:
    """Add a comment to the history of an incident."""
    return _act(prefix, "commented", actor, text=text, may_be_resolved=True)


def snooze(prefix: str, actor: str, until: datetime) -> UUID:
    """Notify of nothing but the end of an incident until a time."""
    return _act(prefix, "snoozed", actor, text=until.isoformat(), snoozed_until=until)


def assign(prefix: str, actor: str, assignee: str) -> UUID:
    """Notify an address or channel of an incident, and of all that follows.

    Raises:
        PermanentError: it is neither an address nor a channel.
    """
    if not (recipients := incident_recipients(assignee, only_owner=True)):
        raise PermanentError(
            f"{assignee!r} is not a valid assignee; expected an email address or the name of a channel"
        )
    with warehouse() as connection:
        records = load_incidents(connection)
        found = _find_open(connection, prefix)
        record = records[found]
        record.assigned_to = assignee
        reach = partial(reach_of, connection)
        messages = opening_messages(record, recipients, [assignee], reach)
        record.told_severity = record.told_severity or record.incident.severity
        record.told_at = record.told_at or datetime.now(UTC)
        save_incidents(connection, [record], [], datetime.now(UTC))
        enqueue(connection, messages)
        _store(connection, found, "assigned", actor, text=assignee, assigned_to=assignee)
    return found


def _act(
    prefix: str, kind: str, actor: str, *, may_be_resolved: bool = False, **fields: Any
) -> UUID:
    with warehouse() as connection:
        run_sql(connection, "monitoring/lock_incidents")
        find = _find if may_be_resolved else _find_open
        found = find(connection, prefix)
        _store(connection, found, kind, actor, **fields)
    return found


def _store(connection: Connection, incident: UUID, kind: str, actor: str, **fields: Any) -> None:
    names = ("acknowledged_at", "acknowledged_by", "assigned_to", "snoozed_until", "text")
    values = {name: fields.get(name) for name in names}
    run_sql(connection, "monitoring/act_on_incident", id=incident, kind=kind, actor=actor, **values)


def _find(connection: Connection, prefix: str) -> UUID:
    return _row(connection, prefix)["id"]


def _find_open(connection: Connection, prefix: str) -> UUID:
    row = _row(connection, prefix)
    if not row["is_open"]:
        raise UnknownIncidentError(f"incident {prefix} is resolved")
    return row["id"]


def _row(connection: Connection, prefix: str) -> RowMapping:
    prefix = prefix.lower()
    rows = (
        run_sql(connection, "monitoring/find_incidents", prefix=prefix)
        if _ID.fullmatch(prefix)
        else []
    )
    match rows:
        case [row]:
            return row
        case []:
            raise UnknownIncidentError(
                f"no incident {prefix!r} found; `analytics-worker incidents list` shows them"
            )
        case _:
            raise UnknownIncidentError(
                f"{len(rows)} incidents start with {prefix!r}; add more characters of the id"
            )
