"""Find the parts of a report whose requirements are not met: they are held, and the rest of the report is sent.

Plans their SQL as the report's reader, and reads what the worker knows of the data; writes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from analytics_worker.database.connections import warehouse
from analytics_worker.lineage.graph import Node
from analytics_worker.lineage.relations import relation_of
from analytics_worker.text import value_line
from analytics_worker.trust.state import TrustState, trust_states
from flows.reports.definitions.model import PartRequires
from flows.reports.gate.gate import joined
from flows.reports.gate.hold_time import due_again
from flows.reports.gate.requirements import MAX_NAME, instant, unmet_requirements
from flows.reports.runs.model import FOLLOW_UP, HeldPart, ReportRun, run_period
from flows.reports.scheduling.read_relations import planned_statements

_KINDS = {"scheduled", FOLLOW_UP}


class RequiringPart(NamedTuple):
    """A tile, chart or table with requirements."""

    part: str
    position: int
    title: str
    requires: PartRequires
    statements: Sequence[str]


def hold_parts(run: ReportRun, *, by_hand: bool) -> ReportRun:
    """Return a run that is about to be generated with its held parts, and a note on them for its readers.

    Args:
        run: The run.
        by_hand: Whether a person wants it now: then nothing of it is held.
    """
    found = _unmet_parts(run)
    if not found:
        return run
    names = joined([described(each) for each in found])
    if by_hand:
        return _with_note(run, f"Unverified: {names}.")
    return replace(_with_note(run, f"Held: {names}.{_follows(run)}"), held_parts=tuple(found))


def described(part: HeldPart) -> str:
    """Return a part and why it is held."""
    return f"{value_line(part.title, MAX_NAME)} ({joined(list(part.unmet))})"


def _follows(run: ReportRun) -> str:
    end = due_again(run)
    if run.kind == FOLLOW_UP or end <= datetime.now(UTC):
        return ""
    text = instant(end, ZoneInfo(run.report.timezone))
    return f" The report is sent again with what is held when that is over, until {text}."


def _with_note(run: ReportRun, note: str) -> ReportRun:
    return replace(run, reason=" ".join(filter(None, (run.reason, note))))


def requiring_parts(run: ReportRun) -> Iterator[RequiringPart]:
    """Yield the parts of a run that require something."""
    for number, tile in enumerate(run.report.tiles):
        if tile.requires:
            statements = [sql for sql in (tile.sql, tile.previous) if sql]
            yield RequiringPart("tile", number, tile.title, tile.requires, statements)
    others = {"chart": run.report.charts, "table": run.report.tables}
    for kind, definitions in others.items():
        for number, each in enumerate(definitions):
            if each.requires:
                yield RequiringPart(kind, number, each.title, each.requires, [each.sql])


def _unmet_parts(run: ReportRun) -> list[HeldPart]:
    """Return the parts whose requirements are not met; none with SQL that can't be planned, which fails the run."""
    period = run_period(run)
    parts = list(requiring_parts(run)) if period and run.kind in _KINDS else []
    if period is None or not parts:
        return []
    planned = [planned_statements(run.report, period, part.statements) for part in parts]
    pairs = [(p, each.relations) for p, each in zip(parts, planned, strict=True) if not each.errors]
    states = part_states({part_unit(run, each): reads for each, reads in pairs})
    now = datetime.now(UTC)
    found = [
        _held_part(run, part, states[part_unit(run, part)], reads, now) for part, reads in pairs
    ]
    return [each for each in found if each.unmet]


def _held_part(
    run: ReportRun, part: RequiringPart, state: TrustState, reads: Sequence[str], now: datetime
) -> HeldPart:
    unmet = unmet_requirements(run, state, now, part.requires)
    texts, names = [each.text for each in unmet], [each.requirement for each in unmet]
    return HeldPart(part.part, part.position, part.title, texts, names, reads)


def part_unit(run: ReportRun, part: RequiringPart | HeldPart) -> Node:
    """Return the unit that a part of a run is; no report has such a name."""
    return Node("report", f"{run.id}\0{part.part}\0{part.position}")


def part_states(reads: Mapping[Node, Sequence[str]]) -> dict[Node, TrustState]:
    """Return what is known of the data of parts."""
    relations = {unit: [relation_of(each) for each in names] for unit, names in reads.items()}
    with warehouse() as connection:
        return trust_states(connection, relations, relations)
