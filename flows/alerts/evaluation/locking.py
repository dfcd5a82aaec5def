"""Which rules are evaluated now, and what is known of them.

Reads and locks ops.alert_rules, reads ops.alert_states and ops.alert_evaluations. A rule is due once
per period of its own, by the database's clock; the row lock makes it one evaluation whatever the
number of runs, and is given back when a run dies.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql
from flows.alerts.evaluation.samples import NO_KEY
from flows.alerts.evaluation.state_machine import AlertState
from flows.alerts.notifications.model import Health, States
from flows.alerts.rules.model import Kind, Rule

BATCH = 250


@dataclass(frozen=True)
class Claim:
    """One rule that this run, and no other, evaluates now."""

    id: int
    kind: Kind
    rule: Rule
    now: datetime
    slot: datetime
    silenced: bool
    health: Health
    broken: str | None = None
    """Why the stored definition can't be used, if it can't."""


def claim_due(
    connection: Connection,
    kinds: Sequence[Kind],
    *,
    now: datetime | None,
    passed_over: Sequence[int] = (),
) -> list[Claim]:
    """Lock the next rules that are due, until the transaction ends."""
    rows = run_sql(
        connection,
        "alerts/claim_due",
        kinds=list(kinds),
        now=now,
        passed_over=list(passed_over),
        batch=BATCH,
    )
    return [_claim(row) for row in rows]


def claim_event(
    connection: Connection, identity: str, rule: Rule, *, now: datetime | None = None
) -> Claim:
    """Store a rule that came with an event under its identity, and lock it."""
    (row,) = run_sql(
        connection,
        "alerts/claim_event",
        rule_name=identity,
        definition=rule.stored(),
        every=rule.every,
        now=now,
    )
    return _claim(row)


def _claim(row: RowMapping) -> Claim:
    broken = None
    try:
        rule = Rule.model_validate_json(row["definition"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        broken = f"the stored definition is out of date, run alerts sync ({where}: {first['msg']})"
        owner = json.loads(row["definition"]).get("owner")
        rule = Rule.model_construct(name=row["name"], operator=">", owner=owner)
    return Claim(
        id=row["id"],
        kind=row["kind"],
        rule=rule,
        now=row["now"],
        slot=row["slot"],
        silenced=row["silenced"],
        health=Health(row["error"], row["error_since"], told=row["error_told"]),
        broken=broken,
    )


def load_states(connection: Connection, claims: Sequence[Claim]) -> dict[int, States]:
    """The states of the claimed rules, by rule and key."""
    found: dict[int, dict[str, AlertState]] = {claim.id: {} for claim in claims}
    for row in run_sql(connection, "alerts/load_states", rule_ids=list(found)):
        values: dict[str, Any] = dict(row)
        rule_id, key = values.pop("rule_id"), values.pop("key")
        values["changes"] = tuple(values["changes"])
        found[rule_id][key] = AlertState(**values)
    return {**found}


def load_earlier(connection: Connection, claims: Sequence[Claim]) -> dict[int, Mapping[str, float]]:
    """Readings of so long ago as each rule compares with; empty where there are none."""
    wanted = {
        claim.id: claim.slot - claim.rule.compare_to
        for claim in claims
        if isinstance(claim.rule.compare_to, timedelta)
    }
    found: dict[int, Mapping[str, float]] = {rule_id: {} for rule_id in wanted}
    if wanted:
        asked = [{"rule_id": i, "until": until.isoformat()} for i, until in wanted.items()]
        for row in run_sql(connection, "alerts/load_earlier", wanted=json.dumps(asked)):
            found[row["rule_id"]] = _readings(row)
    return found


def _readings(row: RowMapping) -> Mapping[str, float]:
    keyed: dict[str, Any] | None = row["readings"]
    if keyed is None:
        return {NO_KEY: row["reading"]}
    return {key: float(value) for key, value in keyed.items() if value is not None}
