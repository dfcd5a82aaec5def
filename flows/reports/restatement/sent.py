"""Find what a report has of its period, to be stored with its run and compared later.

Reads, in the snapshot of the report, the plans of its queries; writes nothing. Tiles and charts are those of its page.
Tables are hashed while its files are written; only if its page has not all rows of a table, and no file has them, is
the table read once more. A part that can't be compared, or can't be read in time, has the reason.
"""

import time
from collections.abc import Mapping, Sequence

from analytics_worker.settings import settings
from flows.reports.definitions.model import ChartDefinition, TableDefinition, TileDefinition
from flows.reports.formats import Chart, Document, Fingerprint, Snapshot, Tile
from flows.reports.restatement.comparable import reason_not_compared
from flows.reports.restatement.parts import Part, chart_part, table_part, tile_part
from flows.reports.restatement.reading import limited, query_of, read_part, read_table
from flows.reports.runs.model import ReportRun

SHORTENED = "it has max_rows, and which rows it then has is not fixed"
HELD = "it was held when the report was sent"
TOO_SLOW = "to read its rows takes longer than REPORT_RESTATEMENT_SECONDS"


def is_recorded(run: ReportRun) -> bool:
    """Whether what a run sends is stored: not of preliminary and ad-hoc reports, nor where it is off."""
    is_on = run.report.restatement and bool(settings().report_restatement_days)
    return is_on and run.kind in {"scheduled", "single"}


def table_parts(snapshot: Snapshot, run: ReportRun) -> list[Part]:
    """Return the tables of a report before they are read, with the reasons why some are not compared."""
    return [_planned_table(snapshot, run, n, table) for n, table in enumerate(run.report.tables)]


def _planned_table(snapshot: Snapshot, run: ReportRun, number: int, table: TableDefinition) -> Part:
    problem = SHORTENED if run.report.max_rows else None
    part = Part("table", number, table.title, problem=problem)
    part = part if part.problem else _unless_held(run, part)
    return part if part.problem else _with_reason(snapshot, run, part, table)


def sent_parts(
    snapshot: Snapshot,
    run: ReportRun,
    document: Document,
    tables: Sequence[Part],
    fingerprints: Mapping[int, Fingerprint | None],
) -> list[Part]:
    """Return the parts of a report with its page.

    Args:
        snapshot: The snapshot of the report.
        run: The run.
        document: Its page.
        tables: Its tables as `table_parts` returns them.
        fingerprints: Of the tables whose rows were read, by position; None if that took too long.
    """
    report = run.report
    tiles = zip(document.tiles, report.tiles, strict=True)
    charts = zip(document.charts, report.charts, strict=True)
    end = time.monotonic() + settings().report_restatement_seconds
    return [
        *(_tile(snapshot, run, number, *each) for number, each in enumerate(tiles)),
        *(_chart(snapshot, run, number, *each) for number, each in enumerate(charts)),
        *(_table(snapshot, run, part, fingerprints, end) for part in tables),
    ]


def _tile(
    snapshot: Snapshot, run: ReportRun, number: int, tile: Tile, definition: TileDefinition
) -> Part:
    part = _unless_held(run, tile_part(number, tile))
    return part if part.problem else _with_reason(snapshot, run, part, definition)


def _chart(
    snapshot: Snapshot, run: ReportRun, number: int, chart: Chart, definition: ChartDefinition
) -> Part:
    part = _unless_held(run, chart_part(number, definition.title, chart))
    return part if part.problem else _with_reason(snapshot, run, part, definition)


def _unless_held(run: ReportRun, part: Part) -> Part:
    return part.with_problem(HELD) if run.held_part(*part.key) else part


def _table(
    snapshot: Snapshot,
    run: ReportRun,
    part: Part,
    fingerprints: Mapping[int, Fingerprint | None],
    end: float,
) -> Part:
    if part.problem:
        return part
    if part.position in fingerprints:
        found = fingerprints[part.position]
        return (
            table_part(part.position, part.title, found) if found else part.with_problem(TOO_SLOW)
        )
    return read_part(snapshot, part, lambda: read_table(limited(snapshot, end), run, part))


def _with_reason(
    snapshot: Snapshot,
    run: ReportRun,
    part: Part,
    definition: TileDefinition | ChartDefinition | TableDefinition,
) -> Part:
    """Return the part with the reason why it is not compared, if there is one."""

    def planned() -> Part:
        return part.with_problem(reason_not_compared(snapshot, query_of(run, definition)))

    return read_part(snapshot, part, planned)
