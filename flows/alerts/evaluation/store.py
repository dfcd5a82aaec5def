"""Write what an evaluation came to: history, states, events and the outbox, in a few statements.

Writes ops.alert_evaluations, alert_rules, alert_states, alert_events, messages and deliveries, in the
transaction of the caller, which holds the rules' locks: all of it happens, or none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from prefect.context import FlowRunContext
from pydantic import ConfigDict, TypeAdapter
from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql
from analytics_worker.delivery.message import Message
from analytics_worker.delivery.outbox import enqueue
from flows.alerts.evaluation.locking import Claim
from flows.alerts.evaluation.samples import NO_KEY
from flows.alerts.evaluation.transition import Failure, Found, Given
from flows.alerts.notifications.messages import notification, wanted_first
from flows.alerts.notifications.model import Advance, Notice, States

_JSON: TypeAdapter[Any] = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="strings"))
"""Instants as PostgreSQL reads them, infinity as text: JSON has no number for it."""


@dataclass
class Writes:
    """Rows to write, gathered over a batch of rules."""

    evaluations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    states: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    gone: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    messages: list[Message] = field(default_factory=list[Message])
    wanted: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Notices that say that something is over, to find what had said that it began."""

    @property
    def deliveries(self) -> int:
        """How many deliveries there are to enqueue."""
        return sum(len(message.recipients) for message in self.messages)

    @property
    def message_ids(self) -> list[UUID]:
        """The ids of the messages."""
        return [message.id for message in self.messages if message.id]

    def add(
        self,
        claim: Claim,
        before: States,
        found: Found,
        after: Advance,
        **measured: float | None,
    ) -> None:
        """Note one rule; `measured` are rows, milliseconds and attempts."""
        self.evaluations.append(_evaluation(claim, found, after) | measured)
        for key, state in after.states.items():
            if before.get(key) != state:
                self.states.append({"rule_id": claim.id, "key": key, **state._asdict()})
        self.gone += [{"rule_id": claim.id, "key": k} for k in before if k not in after.states]
        for notice in after.notices:
            self._notify(claim, notice)

    def _notify(self, claim: Claim, notice: Notice) -> None:
        uid = uuid4()
        message = notification(claim.id, claim.rule, notice, claim.now, uid, _flow_run_id())
        self.messages.append(message)
        self.events.append(_event(claim, notice, uid, message.content.json_body or {}))
        if wanted := wanted_first(claim.id, notice, uid):
            self.wanted.append(wanted)

    def write(self, connection: Connection) -> None:
        """Write all of it, in a few statements."""
        flow_run_id = _flow_run_id()
        run_sql(
            connection,
            "alerts/record_evaluations",
            evaluations=_rows(self.evaluations),
            flow_run_id=flow_run_id,
        )
        if self.states or self.gone:
            states, gone = _rows(self.states), _rows(self.gone)
            run_sql(connection, "alerts/save_states", states=states, gone=gone)
        if self.events:
            self._enqueue(connection, flow_run_id)

    def _enqueue(self, connection: Connection, flow_run_id: UUID | None) -> None:
        """Write events, and for each its message."""
        first: dict[UUID | None, UUID] = {}
        if self.wanted:
            found = run_sql(connection, "alerts/first_messages", wanted=_rows(self.wanted))
            first = {row["uid"]: row["id"] for row in found}
        events = _rows(self.events)
        rows = run_sql(connection, "alerts/add_events", events=events, flow_run_id=flow_run_id)
        ids: dict[UUID | None, int] = {row["uid"]: row["id"] for row in rows}
        enqueue(
            connection,
            [
                each._replace(reference=str(ids[each.id]), follows=first.get(each.id))
                for each in self.messages
            ],
        )


def _flow_run_id() -> UUID | None:
    run = FlowRunContext.get()
    return run.flow_run.id if run and run.flow_run else None


def _rows(rows: list[dict[str, Any]]) -> str:
    """As JSON; what is left out is null, and costs nothing to write and to read."""
    kept = [{k: v for k, v in row.items() if v is not None} for row in rows]
    return _JSON.dump_json(kept).decode()


def _evaluation(claim: Claim, found: Found, after: Advance) -> dict[str, Any]:
    return {
        "rule_id": claim.id,
        "slot": claim.slot,
        "evaluated_at": claim.now,
        "status": after.status,
        "severity": after.severity,
        "value": after.value,
        **_readings(claim, found, after),
        "keys": len(after.states),
        "firing": after.firing,
        "error": found.message if isinstance(found, Failure) else None,
        "health_error": after.health.error,
        "health_since": after.health.since,
        "health_told": after.health.told,
        "watched": _is_watched(claim, after),
    }


def _readings(claim: Claim, found: Found, after: Advance) -> dict[str, Any]:
    """Of a rule with keys, all of them only if it looks back to them one day."""
    if isinstance(found, Given):
        return {"reading": after.value}
    if isinstance(found, Failure):
        return {}
    if not claim.rule.key_columns:
        return {"reading": found.get(NO_KEY)}
    return {"readings": found}


def _is_watched(claim: Claim, after: Advance) -> bool:
    """A rule that came with an event is looked after until it is over and somebody knows."""
    if claim.kind != "event" or after.untold:
        return True
    return claim.rule.sql is not None and (after.status != "ok" or after.health.told)


def _event(claim: Claim, notice: Notice, uid: UUID, details: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "uid": uid,
        "rule_id": claim.id,
        "kind": notice.kind,
        "severity": notice.severity,
        "audience": notice.audience,
        "group_key": notice.group,
        "keys": max(1, len(notice.states)),
        "details": details,
        "created_at": claim.now,
    }
