"""Write what an evaluation came to: history, states, events and the outbox, in a few statements.

Writes ops.alert_evaluations, alert_rules, alert_states, alert_events and alert_deliveries, in the
transaction of the caller, which holds the rules' locks: all of it happens, or none.
"""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prefect.context import FlowRunContext
from pydantic import ConfigDict, TypeAdapter
from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql
from flows.alerts.evaluation.locking import Claim
from flows.alerts.evaluation.samples import NO_KEY
from flows.alerts.evaluation.transition import Failure, Found, Given
from flows.alerts.notifications.model import Advance, Notice, States
from flows.alerts.notifications.recipients import recipients
from flows.alerts.notifications.rendering import message

PLAIN = {"webhook", "slack"}
"""Channels that show no HTML: it is not rendered for them."""

_JSON: TypeAdapter[Any] = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="strings"))
"""Instants as PostgreSQL reads them, infinity as text: JSON has no number for it."""


@dataclass
class Writes:
    """Rows to write, gathered over a batch of rules."""

    evaluations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    states: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    gone: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    payloads: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    deliveries: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

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
            self._tell(claim, notice)

    def _tell(self, claim: Claim, notice: Notice) -> None:
        uid = str(uuid.uuid4())
        people = recipients(claim.rule, notice.audience)
        html = any(channel not in PLAIN for channel, _ in people)
        payload = message(claim.rule, notice, claim.now, uid, html=html)
        self.events.append(_event(claim, notice, uid, payload["json"]))
        self.payloads.append({"uid": uid, "payload": payload})
        self.deliveries += [
            {
                "uid": uid,
                "channel": channel,
                "recipient": recipient,
                "message_id": message_id(uid, channel, recipient),
            }
            for channel, recipient in people
        ]

    def write(self, connection: Connection) -> None:
        """All of it, in three statements."""
        run = FlowRunContext.get()
        flow_run_id = run.flow_run.id if run and run.flow_run else None
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
            run_sql(
                connection,
                "alerts/add_notices",
                events=_rows(self.events),
                payloads=_rows(self.payloads),
                deliveries=_rows(self.deliveries),
                flow_run_id=flow_run_id,
            )


def _rows(rows: list[dict[str, Any]]) -> str:
    """As JSON; what is left out is null, and costs nothing to write and to read."""
    kept = [{k: v for k, v in row.items() if v is not None} for row in rows]
    return _JSON.dump_json(kept).decode()


def message_id(uid: str, channel: str, recipient: str) -> str:
    """The same for each attempt to tell somebody of an event, different for anybody else."""
    digest = hashlib.sha256(f"{channel}\0{recipient}".encode()).hexdigest()
    return f"{uid}.{digest[:12]}"


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
    """A rule that came with an event is looked after until it is over."""
    if claim.kind != "event":
        return True
    return claim.rule.sql is not None and (after.status != "ok" or after.health.told)


def _event(claim: Claim, notice: Notice, uid: str, details: Mapping[str, Any]) -> dict[str, Any]:
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
