"""Find what a report has of its period, to be stored with its run and compared later.

Reads, in the snapshot of the report, the plans of its queries and a fingerprint of its tables; writes nothing.
Tiles and charts are those of its page. A part that can't be compared, or can't be read in time, has the reason.
"""

import time

from analytics_worker.settings import settings
from flows.reports.definitions.model import ChartDefinition, TableDefinition, TileDefinition
from flows.reports.formats import Chart, Document, Snapshot, Tile
from flows.reports.restatement.comparable import reason_not_compared
from flows.reports.restatement.parts import Part, chart_part, tile_part
from flows.reports.restatement.reading import limited, query_of, read_part, read_table
from flows.reports.runs.model import ReportRun

SHORTENED = "it has max_rows, and which rows it then has is not fixed"


def is_recorded(run: ReportRun) -> bool:
    """Whether what a run sends is stored: not of preliminary and ad-hoc reports, nor where it is off."""
    is_on = run.report.restatement and bool(settings().report_restatement_days)
    return is_on and run.kind in {"scheduled", "single"}


def sent_parts(snapshot: Snapshot, run: ReportRun, document: Document) -> list[Part]:
    """Return the parts of a report with its page."""
    report = run.report
    tiles = zip(document.tiles, report.tiles, strict=True)
    charts = zip(document.charts, report.charts, strict=True)
    end = time.monotonic() + settings().report_restatement_seconds
    return [
        *(_tile(snapshot, run, number, *each) for number, each in enumerate(tiles)),
        *(_chart(snapshot, run, number, *each) for number, each in enumerate(charts)),
        *(_table(snapshot, run, n, table, end) for n, table in enumerate(report.tables)),
    ]


def _tile(
    snapshot: Snapshot, run: ReportRun, number: int, tile: Tile, definition: TileDefinition
) -> Part:
    part = tile_part(number, tile)
    return part if part.problem else _with_reason(snapshot, run, part, definition)


def _chart(
    snapshot: Snapshot, run: ReportRun, number: int, chart: Chart, definition: ChartDefinition
) -> Part:
    return _with_reason(snapshot, run, chart_part(number, definition.title, chart), definition)


def _table(
    snapshot: Snapshot, run: ReportRun, number: int, table: TableDefinition, end: float
) -> Part:
    problem = SHORTENED if run.report.max_rows else None
    part = Part("table", number, table.title, problem=problem)
    part = part if part.problem else _with_reason(snapshot, run, part, table)
    if part.problem:
        return part
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
