"""Leave out the rules of whose period data is missing: they neither fire nor resolve until it is there.

Reads what is known of the relations that the rules read; writes why they are not evaluated, in the transaction of the
caller, which holds their locks. A rule with times of its own stays due, so that it is evaluated as soon as the data
is there; any other one is looked at again in its next period.
"""

import json
import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from analytics_worker.completeness.partial_periods import UnitPeriod, incomplete_units
from analytics_worker.database.connections import run_sql
from analytics_worker.errors import is_database_outage
from flows.alerts.evaluation.locking import Claim
from flows.alerts.rules.model import Rule
from flows.alerts.rules.periods import rule_period

logger = logging.getLogger(__name__)


def leave_out_incomplete(connection: Connection, claims: Sequence[Claim]) -> set[int]:
    """Record which rules are not evaluated now, and return their ids; if that can't be read, none."""
    periods = {each.id: found for each in claims if (found := _period(each))}
    if not periods:
        return set()
    try:
        with connection.begin_nested():
            now = max(each.now for each in claims)
            since = incomplete_units(connection, "rule", periods, now)
            _record(connection, claims, since)
    except DBAPIError as error:
        if error.connection_invalidated or is_database_outage(error):
            raise
        logger.exception("rules are evaluated without what is known of their periods")
        return set()
    return set(since)


def incomplete_since(connection: Connection, rule: Rule, now: datetime) -> datetime | None:
    """Return since when data is missing of the period that a rule of the files reads now; None if none is known to be."""
    period = rule_period(rule, now)
    if period is None or rule.include_partial:
        return None
    found = incomplete_units(connection, "rule", {0: UnitPeriod(rule.name, period.end)}, now)
    return found.get(0)


def _period(claim: Claim) -> UnitPeriod | None:
    """Return the period of a rule that is not evaluated if data of it is missing."""
    period = rule_period(claim.rule, claim.slot)
    if period is None or claim.rule.include_partial or claim.definition_error:
        return None
    return UnitPeriod(claim.name, period.end)


def _record(connection: Connection, claims: Sequence[Claim], since: dict[int, datetime]) -> None:
    rows = [
        {"rule_id": each.id, "slot": each.slot.isoformat(), "since": since[each.id].isoformat()}
        for each in claims
        if each.id in since
    ]
    if rows:
        run_sql(connection, "alerts/record_incomplete", rules=json.dumps(rows))
