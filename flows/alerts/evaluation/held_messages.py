"""Hold back the messages of alerts that were silenced, or muted by another rule, before they were sent.

Reads the silences and the rules that fire; cancels rows of ops.deliveries and updates ops.alert_states. The
recipients count as not notified, so that those of an alert that still fires when the silence ends, or the
other rule no longer fires, are notified then. A message that also has other alerts is sent as it was written.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from flows.alerts.evaluation.dependencies import load_dependencies, muting_rule
from flows.alerts.evaluation.locking import Claim, claim_of, load_states, with_silences
from flows.alerts.evaluation.samples import group_of
from flows.alerts.evaluation.state_machine import AlertState, States
from flows.alerts.evaluation.store import WriteBatch
from flows.alerts.evaluation.transition import muted_keys


def cancel_silenced() -> int:
    """Cancel the deliveries that wait and whose alerts are all silenced; return how many."""
    with warehouse() as connection:
        rule_ids = {
            row["rule_id"] for row in run_sql(connection, "alerts/unsent_firing", rule_ids=None)
        }
    if not rule_ids:
        return 0
    with warehouse() as connection:
        locked = run_sql(connection, "alerts/lock_rules", rule_ids=list(rule_ids))
        claims = with_silences(connection, [claim_of(row) for row in locked])
        return _cancel(connection, [each for each in claims if each.silences], "silenced")


def cancel_muted() -> int:
    """Cancel the deliveries that wait and whose alerts are all muted by rules that fire now; return how many."""
    with warehouse() as connection:
        unsent = {
            row["rule_id"] for row in run_sql(connection, "alerts/unsent_firing", rule_ids=None)
        }
    if not unsent:
        return 0
    with warehouse() as connection:
        idle = run_sql(connection, "alerts/lock_idle_dependents", rule_ids=list(unsent))
        rule_ids = [row["id"] for row in idle]
        locked = run_sql(connection, "alerts/lock_rules", rule_ids=rule_ids) if rule_ids else []
        return _cancel(connection, [claim_of(row) for row in locked], "muted")


def _muted_states(connection: Connection, claims: Sequence[Claim]) -> dict[int, States]:
    """Return the states as they are while the rules fire that they depend on."""
    dependencies = load_dependencies(connection, claims)
    found: dict[int, States] = {}
    for claim, states in zip(claims, load_states(connection, claims).values(), strict=True):
        muting = dependencies.muting(claim.rule, claim.now)
        found[claim.id] = {
            key: state._replace(muted_by=muting_rule(claim.rule, key, muting))
            for key, state in states.items()
        }
    return found


def _cancel(connection: Connection, claims: Sequence[Claim], reason: str) -> int:
    if not claims:
        return 0
    states = _muted_states(connection, claims)
    by_id = {claim.id: claim for claim in claims}
    cancelled: list[str] = []
    changed: dict[tuple[int, str], AlertState] = {}
    for row in run_sql(connection, "alerts/unsent_firing", rule_ids=list(by_id)):
        rule_id = row["rule_id"]
        for key in (keys := _held_keys(by_id[rule_id], states[rule_id], row)):
            state = changed.get((rule_id, key), states[rule_id][key])
            changed[rule_id, key] = _without_recipient(state, row)
        cancelled += [str(row["id"])] if keys else []
    run_sql(connection, "alerts/cancel_held", ids=cancelled, reason=reason)
    rows = [{"rule_id": i, "key": key, **each._asdict()} for (i, key), each in changed.items()]
    WriteBatch(states=rows).write_states(connection)
    return len(cancelled)


def _held_keys(claim: Claim, states: States, row: RowMapping) -> list[str]:
    """Return the keys of the message of a delivery; none if one of them is to be notified of."""
    written = [
        key
        for key, state in states.items()
        if state.notified_at == row["created_at"]
        and state.told_to is not None
        and group_of(claim.rule, key) == row["group_key"]
    ]
    held = set(written) if claim.silenced else muted_keys(states, claim.silences)
    return written if held.issuperset(written) else []


def _without_recipient(state: AlertState, row: RowMapping) -> AlertState:
    recipient = (row["channel"], row["recipient"])
    return state._replace(told_to=tuple(each for each in state.told_to or () if each != recipient))
