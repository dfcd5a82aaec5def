"""Claim the rules to evaluate, and load their states and baselines.

Reads and locks ops.alert_rules; reads ops.alert_states and ops.alert_evaluations. A rule is due once
per period, by the clock of the database. The row lock makes it one evaluation for any number of
concurrent runs, and is released when a run dies.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql
from flows.alerts.evaluation.due_slots import DueSlot, due_slots, to_json
from flows.alerts.evaluation.samples import NO_KEY
from flows.alerts.evaluation.state_machine import AlertState, RuleHealth, States
from flows.alerts.rules.model import Kind, Rule
from flows.alerts.rules.silence import Matcher
from flows.alerts.rules.times import baseline_time

BATCH_SIZE = 250
MAX_DELAY = timedelta(minutes=15)
"""Delay of an evaluation at a time of the rule that is not worth a note."""


class Claim(NamedTuple):
    """A rule that this run, and no other, evaluates now."""

    id: int
    kind: Kind
    rule: Rule
    now: datetime
    slot: datetime
    health: RuleHealth
    silenced: bool = False
    """Whether a silence concerns the whole rule."""
    name: str = ""
    """Name of the stored rule; for the rule of an event, the identity of its alert."""
    silences: tuple[Matcher, ...] = ()
    """Silences that concern some of its alerts."""
    definition_error: str | None = None
    """Why the stored definition is not valid."""
    milliseconds: float | None = None
    """How long its SQL took the last time; None if it was never run."""

    @property
    def missed_at(self) -> datetime | None:
        """When it was due at a time of its own, if that is long ago: no run evaluated it then."""
        is_late = self.rule.has_own_times and self.now - self.slot > MAX_DELAY
        return self.slot if is_late else None


def claim_due(
    connection: Connection,
    kinds: Sequence[Kind],
    *,
    now: datetime | None,
    excluded: Sequence[int] = (),
) -> list[Claim]:
    """Lock the next due rules until the transaction ends."""
    slots = due_slots(connection, kinds, now)
    rows = run_sql(
        connection,
        "alerts/claim_due",
        kinds=list(kinds),
        now=now,
        slots=to_json(slots),
        excluded=list(excluded),
        batch_size=BATCH_SIZE,
    )
    return [_with_slot_error(claim_of(row), slots) for row in rows]


def _with_slot_error(claim: Claim, slots: Mapping[int, DueSlot]) -> Claim:
    slot = slots.get(claim.id)
    if slot is None or slot.error is None or claim.definition_error:
        return claim
    return claim._replace(definition_error=slot.error)


def claim_event(connection: Connection, identity: str, rule: Rule) -> Claim:
    """Store the rule of an event under its identity, and lock it."""
    (row,) = run_sql(
        connection,
        "alerts/claim_event",
        rule_name=identity,
        definition=rule.to_json(),
        every=rule.every,
    )
    return claim_of(row)


def claim_of(row: RowMapping) -> Claim:
    """Return the claim of a locked row; an invalid definition is an error of the rule."""
    definition_error = None
    try:
        rule = Rule.model_validate_json(row["definition"])
    except ValidationError as error:
        definition_error = _definition_error(error)
        owner = json.loads(row["definition"]).get("owner")
        rule = Rule.model_construct(name=row["name"], operator=">", owner=owner)
    return Claim(
        id=row["id"],
        kind=row["kind"],
        rule=rule,
        now=row["now"],
        slot=row["slot"],
        health=_health(row),
        name=row["name"],
        definition_error=definition_error,
        milliseconds=row["milliseconds"],
    )


def _health(row: RowMapping) -> RuleHealth:
    return RuleHealth(
        error=row["error"],
        since=row["error_since"],
        notified=row["error_told"],
        notified_at=row["error_told_at"],
        succeeded_at=row["succeeded_at"],
        no_data_since=row["no_data_since"],
        no_data_notified_at=row["no_data_told_at"],
    )


def _definition_error(error: ValidationError) -> str:
    first = error.errors()[0]
    path = ".".join(map(str, first["loc"]))
    return f"the stored definition is out of date; run `analytics-worker alerts sync` ({path}: {first['msg']})"


def with_silences(connection: Connection, claims: Sequence[Claim]) -> list[Claim]:
    """Return the claims with the silences that concern them."""
    now = max(claim.now for claim in claims)
    rows = run_sql(connection, "alerts/active_silences", now=now)
    matchers = [
        Matcher(row["rule"], row["owner"], row["severity"], tuple(row["keys"])) for row in rows
    ]
    return [_with_silences(claim, matchers) for claim in claims] if matchers else list(claims)


def _with_silences(claim: Claim, matchers: Sequence[Matcher]) -> Claim:
    names = (claim.name, claim.rule.name)
    found = tuple(each for each in matchers if each.matches_rule(names, claim.rule.owner))
    is_silenced = any(each.is_of_rule for each in found)
    return claim._replace(silenced=is_silenced, silences=found)


def load_states(connection: Connection, claims: Sequence[Claim]) -> dict[int, States]:
    """Return the states of the claimed rules, by rule and key."""
    states: dict[int, dict[str, AlertState]] = {claim.id: {} for claim in claims}
    for row in run_sql(connection, "alerts/load_states", rule_ids=list(states)):
        values: dict[str, Any] = dict(row)
        rule_id, key = values.pop("rule_id"), values.pop("key")
        values["changes"] = tuple(values["changes"])
        values["told_to"] = values["told_to"] and tuple(map(tuple, values["told_to"]))
        states[rule_id][key] = AlertState(**values)
    return {**states}


def load_baselines(
    connection: Connection, claims: Sequence[Claim]
) -> dict[int, Mapping[str, Decimal]]:
    """Return the samples that rules with ``compare_to`` compare with; empty if none is recorded."""
    until = {
        claim.id: baseline_time(claim.rule, claim.slot)
        for claim in claims
        if isinstance(claim.rule.compare_to, timedelta) and claim.definition_error is None
    }
    baselines: dict[int, Mapping[str, Decimal]] = {rule_id: {} for rule_id in until}
    if until:
        times = [{"rule_id": rule_id, "until": at.isoformat()} for rule_id, at in until.items()]
        for row in run_sql(connection, "alerts/load_baselines", baselines=json.dumps(times)):
            baselines[row["rule_id"]] = _recorded_samples(row)
    return baselines


def _recorded_samples(row: RowMapping) -> Mapping[str, Decimal]:
    by_key: dict[str, Any] | None = row["samples"]
    if by_key is None:
        return {NO_KEY: row["sample"]}
    return {key: Decimal(str(value)) for key, value in by_key.items() if value is not None}
