"""Look at the held runs again: which of them pass the gate now, or are over.

Reads the runs and what the worker knows of the data, by a fixed number of statements; writes why they are held.
Safe to repeat.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.database.connections import warehouse
from analytics_worker.errors import is_database_outage
from analytics_worker.lineage.graph import Node
from analytics_worker.lineage.relations import relation_of
from analytics_worker.text import one_line
from analytics_worker.trust.state import TrustState, trust_states
from flows.reports.gate.gate import joined
from flows.reports.gate.hold_time import hold_until
from flows.reports.gate.requirements import unit_of, unmet_requirements
from flows.reports.runs.model import ReportRun, period_label, run_from_row, run_title
from flows.reports.runs.store import RunStore
from flows.reports.scheduling.plan import ReportPlan


class HeldRun(NamedTuple):
    """A held run, and what its SQL reads."""

    run: ReportRun
    reads: list[Node]


def plan_held(store: RunStore, plan: ReportPlan, now: datetime) -> None:
    """Add the held runs that are not held any longer to the plan, and note why the others are."""
    try:
        held = _held_runs(store, plan)
        if held:
            _plan(store, plan, held, now)
    except SQLAlchemyError as error:
        if is_database_outage(error):
            raise
        plan.invalid["held reports"] = one_line(str(getattr(error, "orig", None) or error))


def _held_runs(store: RunStore, plan: ReportPlan) -> list[HeldRun]:
    held: list[HeldRun] = []
    for row in store.held_runs():
        with plan.recording_errors_of(row["report"]):
            held.append(HeldRun(run_from_row(row), [relation_of(each) for each in row["reads"]]))
    return held


def _plan(store: RunStore, plan: ReportPlan, held: Sequence[HeldRun], now: datetime) -> None:
    reads = {unit_of(each.run.report): each.reads for each in held}
    with warehouse() as connection:
        states = trust_states(connection, reads, reads)
    changed: dict[int, dict[str, str]] = {}
    for run, _ in held:
        with plan.recording_errors_of(run.name):
            unmet = _unmet(run, states[unit_of(run.report)], now)
            if not unmet:
                plan.runs.append(run.id)
                continue
            plan.held[run_title(run.report.name, run.key, period_label(run))] = joined(
                list(unmet.values())
            )
            if tuple(unmet.values()) != run.unmet:
                changed[run.id] = unmet
    if changed:
        store.note_unmet(changed)


def _unmet(run: ReportRun, state: TrustState, now: datetime) -> dict[str, str]:
    """Return why a run is still held, by requirement; nothing if it is not."""
    unmet = unmet_requirements(run, state, now)
    return {each.requirement: each.text for each in unmet} if now < hold_until(run) else {}
