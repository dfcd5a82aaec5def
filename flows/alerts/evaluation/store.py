"""Write a batch of evaluations: history, states, events and messages, in a few statements.

Writes ops.alert_evaluations, alert_rules, alert_states, alert_events, messages and deliveries, in the
transaction of the caller, which holds the locks of the rules: all rows are written, or none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self
from uuid import UUID, uuid4

from prefect.context import FlowRunContext
from pydantic import ConfigDict, TypeAdapter
from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql
from analytics_worker.delivery.message import Message, Recipient
from analytics_worker.delivery.outbox import enqueue
from analytics_worker.presentation.exact_numbers import json_number
from flows.alerts.evaluation.locking import Claim
from flows.alerts.evaluation.observation import Failure, Observation, ReportedStatus
from flows.alerts.evaluation.result import EvaluationResult
from flows.alerts.evaluation.samples import NO_KEY
from flows.alerts.evaluation.state_machine import RuleHealth, States
from flows.alerts.notifications.messages import build_message, followed_message_lookup
from flows.alerts.notifications.model import Notification
from flows.alerts.notifications.recipients import with_earlier_recipients

_JSON: TypeAdapter[Any] = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="strings"))
"""Write timestamps as PostgreSQL reads them, and decimals as text, with all their digits."""


@dataclass
class WriteBatch:
    """Rows to write, collected over a batch of rules."""

    evaluations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    states: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    removed_states: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    messages: list[Message] = field(default_factory=list[Message])
    followed_lookups: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """For each notification that ends an alert: where to find the message that started it."""

    @classmethod
    def merged(cls, batches: Sequence["WriteBatch"]) -> Self:
        """Return all rows of several batches."""
        merged = cls()
        for each in fields(cls):
            getattr(merged, each.name).extend(
                row for batch in batches for row in getattr(batch, each.name)
            )
        return merged

    @property
    def deliveries(self) -> int:
        """Number of deliveries to enqueue."""
        return sum(len(message.recipients) for message in self.messages)

    @property
    def message_ids(self) -> list[UUID]:
        """Ids of the messages."""
        return [message.id for message in self.messages if message.id]

    def add(
        self,
        claim: Claim,
        before: States,
        observation: Observation,
        result: EvaluationResult,
        **statistics: float | None,
    ) -> None:
        """Add the evaluation of one rule; `statistics` are rows, milliseconds and attempts."""
        self.evaluations.append(_evaluation_row(claim, observation, result) | statistics)
        for key, state in result.states.items():
            if before.get(key) != state:
                self.states.append({"rule_id": claim.id, "key": key, **state._asdict()})
        self.removed_states += [
            {"rule_id": claim.id, "key": key} for key in before if key not in result.states
        ]
        for notification in result.notifications:
            self.add_notification(claim, notification)

    def add_notification(self, claim: Claim, notification: Notification) -> None:
        """Add the event and the message of a notification."""
        uid = uuid4()
        message = build_message(claim.id, claim.rule, notification, claim.now, uid, _flow_run_id())
        self.messages.append(message)
        self.events.append(_event_row(claim, notification, uid, message.content.json_body or {}))
        if followed_lookup := followed_message_lookup(claim.id, notification, uid):
            self.followed_lookups.append(followed_lookup)

    def write(self, connection: Connection) -> None:
        """Write all rows."""
        flow_run_id = _flow_run_id()
        run_sql(
            connection,
            "alerts/record_evaluations",
            evaluations=_to_json(self.evaluations),
            flow_run_id=flow_run_id,
        )
        self.write_states(connection)
        self.write_notifications(connection)

    def write_states(self, connection: Connection) -> None:
        """Write the states."""
        if not (self.states or self.removed_states):
            return
        run_sql(
            connection,
            "alerts/save_states",
            states=_to_json(self.states),
            removed_states=_to_json(self.removed_states),
        )

    def write_notifications(self, connection: Connection) -> None:
        """Write the events and their messages."""
        if not self.events:
            return
        followed = self._followed_messages(connection)
        rows = run_sql(
            connection,
            "alerts/add_events",
            events=_to_json(self.events),
            flow_run_id=_flow_run_id(),
        )
        event_ids: dict[UUID | None, int] = {row["uid"]: row["id"] for row in rows}
        enqueue(
            connection,
            [
                _following(message, followed.get(message.id))._replace(
                    reference=str(event_ids[message.id])
                )
                for message in self.messages
            ],
        )

    def _followed_messages(self, connection: Connection) -> dict[UUID | None, RowMapping]:
        """Return the message that each message follows, and its recipients, by its own id."""
        if not self.followed_lookups:
            return {}
        lookups = _to_json(self.followed_lookups)
        rows = run_sql(connection, "alerts/followed_messages", lookups=lookups)
        return {row["uid"]: row for row in rows}


def _following(message: Message, followed: RowMapping | None) -> Message:
    """Return a message that also goes to those who got the one that it follows."""
    if followed is None:
        return message
    earlier = [Recipient(channel, address) for channel, address in followed["recipients"]]
    recipients = with_earlier_recipients(message.recipients, earlier)
    return message._replace(follows=followed["id"], recipients=recipients)


def _flow_run_id() -> UUID | None:
    run = FlowRunContext.get()
    return run.flow_run.id if run and run.flow_run else None


def _to_json(rows: list[dict[str, Any]]) -> str:
    """Return the rows as JSON without null values, which SQL reads as null anyway."""
    compact = [{k: v for k, v in row.items() if v is not None} for row in rows]
    return _JSON.dump_json(compact).decode()


def _evaluation_row(
    claim: Claim, observation: Observation, result: EvaluationResult
) -> dict[str, Any]:
    return {
        "rule_id": claim.id,
        "slot": claim.slot,
        "evaluated_at": claim.now,
        "status": result.status,
        "severity": result.severity,
        "value": result.value,
        **_sample_columns(claim, observation, result),
        "keys": len(result.states),
        "firing": result.firing,
        "error": observation.message if isinstance(observation, Failure) else None,
        **_health_columns(result.health),
        "watched": _is_watched(claim, result),
        "muted_by": result.muted_by,
    }


def _health_columns(health: RuleHealth) -> dict[str, Any]:
    return {
        "health_error": health.error,
        "health_since": health.since,
        "health_notified": health.notified,
        "health_notified_at": health.notified_at,
        "succeeded_at": health.succeeded_at,
        "no_data_since": health.no_data_since,
        "no_data_notified_at": health.no_data_notified_at,
    }


def _sample_columns(
    claim: Claim, observation: Observation, result: EvaluationResult
) -> dict[str, Any]:
    if isinstance(observation, ReportedStatus):
        return {"sample": result.value}
    if isinstance(observation, Failure):
        return {}
    if not claim.rule.key_columns:
        return {"sample": observation.get(NO_KEY)}
    return {"samples": {key: json_number(value) for key, value in observation.items()}}


def _is_watched(claim: Claim, result: EvaluationResult) -> bool:
    """Return whether the rule is evaluated again; the rule of an event only until it is resolved."""
    if claim.kind != "event" or result.unnotified:
        return True
    has_ended = result.status == "ok" and not result.health.notified
    return claim.rule.sql is not None and not has_ended


def _event_row(
    claim: Claim, notification: Notification, uid: UUID, details: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "uid": uid,
        "rule_id": claim.id,
        "kind": notification.kind,
        "severity": notification.severity,
        "audience": notification.audience,
        "group_key": notification.group,
        "keys": max(1, len(notification.states)),
        "details": details,
        "created_at": claim.now,
    }
