"""Send a report again when the requirements of the parts that were held are met.

Reads the runs that were sent without some of their parts, and what the worker knows of the data of these; writes
runs. Safe to repeat: a run has one follow-up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.errors import is_database_outage
from analytics_worker.lineage.graph import Node
from analytics_worker.text import one_line, value_line
from analytics_worker.trust.state import TrustState
from flows.reports.gate.gate import joined
from flows.reports.gate.parts import described, part_states, part_unit, requiring_parts
from flows.reports.gate.requirements import MAX_NAME, instant, unmet_requirements
from flows.reports.runs.model import (
    AGAIN,
    FOLLOW_UP,
    HeldPart,
    ReportRun,
    period_label,
    run_from_row,
    run_title,
)
from flows.reports.runs.requests import run_request
from flows.reports.runs.store import RunStore
from flows.reports.scheduling.plan import ReportPlan


class SentRun(NamedTuple):
    """A run that was sent without its held parts: when, and until when these may follow."""

    run: ReportRun
    sent_at: datetime
    until: datetime


def plan_follow_ups(store: RunStore, plan: ReportPlan, now: datetime) -> None:
    """Add a run for each report whose held parts may follow to the plan, and note why others may not yet."""
    try:
        runs = list(_sent_runs(store, plan))
        if runs:
            reads = {
                part_unit(run, each): each.reads for run, _, _ in runs for each in run.held_parts
            }
            states = part_states(reads)
            for sent in runs:
                with plan.recording_errors_of(sent.run.name):
                    _plan_one(store, plan, sent, _still_held(sent.run, states, now), now)
    except SQLAlchemyError as error:
        if is_database_outage(error):
            raise
        plan.invalid["held parts"] = one_line(str(getattr(error, "orig", None) or error))


def _sent_runs(store: RunStore, plan: ReportPlan) -> Iterator[SentRun]:
    for row in store.runs_with_held_parts():
        with plan.recording_errors_of(row["report"]):
            yield _sent_run(row)


def _sent_run(row: RowMapping) -> SentRun:
    parts = tuple(HeldPart(**each) for each in row["held_parts"])
    run = replace(run_from_row(row), held_parts=parts)
    return SentRun(run, row["finished_at"], row["parts_held_until"])


def _still_held(run: ReportRun, states: Mapping[Node, TrustState], now: datetime) -> list[HeldPart]:
    """Return the parts whose requirements are not met yet."""
    required = {(each.part, each.position): each.requires for each in requiring_parts(run)}
    found: list[HeldPart] = []
    for part in run.held_parts:
        requires = required[part.part, part.position]
        unmet = unmet_requirements(run, states[part_unit(run, part)], now, requires)
        if unmet:
            found.append(part._replace(unmet=[each.text for each in unmet]))
    return found


def _plan_one(
    store: RunStore, plan: ReportPlan, sent: SentRun, held: list[HeldPart], now: datetime
) -> None:
    run = sent.run
    if now >= sent.until:
        store.end_held_parts(run.id)
    elif held:
        name = run_title(run.report.name, run.key, period_label(run))
        plan.held[name] = joined([described(each) for each in held])
    else:
        (requested,) = store.request_runs([_request(sent, now)])
        store.end_held_parts(run.id)  # after the request: a killed process repeats both
        plan.runs.append(requested.id)


def _request(sent: SentRun, now: datetime) -> dict[str, object]:
    run = sent.run
    return run_request(
        run.report,
        run.name,
        FOLLOW_UP,
        None,
        period=f"{run.period}{AGAIN}",
        period_start=run.start,
        period_end=run.end,
        key=run.key,
        row_values=dict(run.row),
        due_at=run.due_at,
        held_since=sent.sent_at,
        reason=_reason(sent, now),
    )


def _reason(sent: SentRun, now: datetime) -> str:
    """Return the note for readers why they get the report again."""
    run, zone = sent.run, ZoneInfo(sent.run.report.timezone)
    names = ", ".join(value_line(each.title, MAX_NAME) for each in run.held_parts)
    span = f"from {instant(sent.sent_at, zone)} until {instant(now, zone)}"
    because = joined(list(dict.fromkeys(text for each in run.held_parts for text in each.unmet)))
    return f"Sent again, with what was held {span}: {names}. It was held because {because}."
