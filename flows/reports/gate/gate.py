"""Let a claimed run pass, or hold it, by the requirements of its report.

Reads what the worker knows of the data that the report reads, whose SQL the server plans as the reader;
writes the state of the run and the message to its owner in one transaction. Safe to repeat: a run that is
held stays so until it passes or its time is over, in every process.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from analytics_worker.database.connections import warehouse
from analytics_worker.lineage.relations import relation_of
from analytics_worker.trust.facts import Facts, read_facts
from analytics_worker.trust.state import states_by
from flows.reports.gate.hold_time import hold_until
from flows.reports.gate.notice import held_message
from flows.reports.gate.requirements import WORDS, Unmet, instant, unit_of, unmet_requirements
from flows.reports.output.generator import ReportRunResult, result_fields
from flows.reports.runs.failures import NOT_NOTIFIED, fail_run
from flows.reports.runs.model import FOLLOW_UP, ReportRun, run_period
from flows.reports.runs.store import RunStore
from flows.reports.scheduling.read_relations import planned_relations


class Passed(NamedTuple):
    """A run that is generated, and what is known of everything, if that decided it."""

    run: ReportRun
    facts: Facts | None = None


class Hold(NamedTuple):
    """Why a run is not generated now, what its SQL reads, until when it is held, and whether that is over."""

    unmet: list[Unmet]
    reads: list[str]
    until: datetime
    is_over: bool

    @property
    def text(self) -> str:
        """The requirements that are not met, in one line."""
        return joined([each.text for each in self.unmet])


def pass_gate(run: ReportRun, *, by_hand: bool) -> Passed | Hold:
    """Return the run, marked if it is late or unverified; or why it is not generated now.

    Args:
        run: The run.
        by_hand: Whether a person wants it now: then it is not held.
    """
    if run.kind == FOLLOW_UP:
        return Passed(run)  # its report was sent
    now = datetime.now(UTC)
    found = _unmet(run, now)
    unmet = found.requirements
    latest = run.report.requires.latest if run.report.requires else None
    if unmet and not by_hand:
        until = hold_until(run)
        if now < until or latest is None:
            return Hold(unmet, found.reads, until, is_over=now >= until)
    return Passed(_marked(run, unmet, now), found.facts)


class _GateState(NamedTuple):
    """The requirements that are not met, what the SQL reads, and by what that was decided."""

    requirements: list[Unmet]
    reads: list[str]
    facts: Facts | None = None


def _unmet(run: ReportRun, now: datetime) -> _GateState:
    """Return what is not met: nothing if the SQL can't be planned, which fails the run itself."""
    period = run_period(run)
    if run.report.requires is None or run.is_preliminary or period is None:
        return _GateState([], [])
    planned = planned_relations(run.report, period)
    if planned.errors:
        return _GateState([], [])
    unit = unit_of(run.report)
    reads = {unit: [relation_of(each) for each in planned.relations]}
    with warehouse() as connection:
        facts = read_facts(connection)
    state = states_by(facts, [unit], reads)[unit]
    return _GateState(unmet_requirements(run, state, now), planned.relations, facts)


def _marked(run: ReportRun, unmet: Sequence[Unmet], now: datetime) -> ReportRun:
    """Return the run with what its readers must know."""
    texts = [run.reason, _mark(run, unmet, now)]
    return replace(
        run,
        reason=" ".join(filter(None, texts)) or None,
        unverified=tuple(WORDS[each.requirement] for each in unmet),
    )


def _mark(run: ReportRun, unmet: Sequence[Unmet], now: datetime) -> str:
    """Return a note that a run is unverified, or late, and why."""
    span = _hold_span(run, now)
    if unmet:
        text = f"Unverified: {joined([each.text for each in unmet])}."
        return f"{text} It was held {span}." if span else text
    return f"Late: it was held {span}, because {joined(run.unmet)}." if span else ""


def _hold_span(run: ReportRun, now: datetime) -> str:
    if run.held_since is None:
        return ""
    zone = ZoneInfo(run.report.timezone)
    return f"from {instant(run.held_since, zone)} until {instant(now, zone)}"


def joined(texts: Sequence[str]) -> str:
    """Return clauses as one."""
    return " and ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))


def hold_run(store: RunStore, run: ReportRun, hold: Hold) -> ReportRunResult:
    """Hold a claimed run and notify its owner once; or end it if its time is over."""
    if hold.is_over:
        error = f"not sent: it was held until its report was due again, because {hold.text}"
        notified = fail_run(store, run, error, final=True)
        notes = [] if notified else [NOT_NOTIFIED]
        return ReportRunResult(**result_fields(run, "failed"), error=error, notes=notes)
    message = held_message(run, hold.text, hold.until)
    unmet = {each.requirement: each.text for each in hold.unmet}
    store.hold(run.id, unmet, hold.reads, message)
    return ReportRunResult(**result_fields(run, "held"), reason=hold.text)
