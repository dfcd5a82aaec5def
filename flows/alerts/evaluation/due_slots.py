"""Find which rules with times of their own are due.

Reads ops.alert_rules and definitions/calendar.yml; writes nothing. Rules with the same times share one
computation. A rule whose times can't be read is due every period, so that its owner is notified of the
error. Once the calendar is valid again, it is due once, so that the error ends at once.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from pydantic import ValidationError
from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql
from analytics_worker.definitions.yaml_definitions import DefinitionError
from flows.alerts.rules.model import Kind
from flows.alerts.rules.model_times import RuleTimes
from flows.alerts.rules.times import due_slot

CALENDAR_ERROR = "the calendar is not valid: "
"""Start of the error of an evaluation that the calendar prevented."""


@dataclass(frozen=True)
class DueSlot:
    """When a rule was last due, and why that can't be computed."""

    rule_id: int
    at: datetime
    error: str | None = None


def due_slots(
    connection: Connection, kinds: Sequence[Kind], now: datetime | None
) -> dict[int, DueSlot]:
    """Return the last due time of each rule that has times of its own, by its id."""
    last_due = lru_cache(maxsize=None)(_last_due)
    rows = run_sql(connection, "alerts/own_time_rules", kinds=list(kinds), now=now)
    found: Iterator[DueSlot | None] = (_slot(row, last_due) for row in rows)
    return {slot.rule_id: slot for slot in found if slot}


def to_json(slots: dict[int, DueSlot]) -> str:
    """Return the slots as `claim_due` reads them."""
    return json.dumps(
        [{"rule_id": each.rule_id, "slot": each.at.isoformat()} for each in slots.values()]
    )


def _slot(
    row: RowMapping, last_due: Callable[[str, datetime, datetime], datetime | None]
) -> DueSlot | None:
    rule_id, period = row["id"], row["period"]
    try:
        at = last_due(row["times"], row["now"], period)
    except DefinitionError as error:
        return DueSlot(rule_id, period, f"{CALENDAR_ERROR}{error.problems[0]}")
    except ValidationError:  # of a stored definition: the claim has the message
        return DueSlot(rule_id, period)
    if (row["error"] or "").startswith(CALENDAR_ERROR):
        return DueSlot(rule_id, max(at or period, period))
    return DueSlot(rule_id, at) if at else None


def _last_due(times: str, now: datetime, period: datetime) -> datetime | None:
    return due_slot(RuleTimes.model_validate_json(times), now, period)
