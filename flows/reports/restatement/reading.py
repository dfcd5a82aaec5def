"""Read the parts of a report, each with its own error and all of them within a limit of time.

Reads, as the report's reader, what its SQL reads; writes nothing.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from analytics_worker.database.session_errors import SessionEndedError, retry_on_session_end
from analytics_worker.errors import PermanentError
from analytics_worker.text import one_line
from flows.reports.definitions.model import ChartDefinition, TableDefinition, TileDefinition
from flows.reports.formats import FormatError, Snapshot, TableQuery, Tile, open_snapshot
from flows.reports.formats.query.fingerprint import fetch_fingerprint
from flows.reports.output.document import report_chart, tile_number
from flows.reports.restatement.parts import Part, PartKind, chart_part, table_part, tile_part
from flows.reports.runs.model import ReportRun
from flows.reports.scheduling.period_parameters import sql_parameters


class ReplicaBehindError(PermanentError):
    """The reader is that of a read replica, which does not show a change yet that the catalog saw."""


def current_parts(
    run: ReportRun, parts: Iterable[Part], limit: timedelta, since: datetime | None = None
) -> list[Part]:
    """Return the parts of a run as their SQL returns them now.

    Args:
        run: The run.
        parts: Its parts.
        limit: The time that all of them may take together.
        since: The last change that must be seen.

    Raises:
        ReplicaBehindError: it can not be seen yet.
        SQLAlchemyError: the database is unavailable.
        CircuitOpenError: it is known to be unavailable.
    """
    wanted = list(parts)
    return retry_on_session_end(lambda: _current_parts(run, wanted, limit, since))


def _current_parts(
    run: ReportRun, parts: list[Part], limit: timedelta, since: datetime | None
) -> list[Part]:
    report, end = run.report, time.monotonic() + limit.total_seconds()
    session = open_snapshot(reader=report.reader, timeout=report.timeout, timezone=report.timezone)
    with session as snapshot:
        if not shows(snapshot, since):
            raise ReplicaBehindError("the read replica does not show the last change yet")
        return [_current(snapshot, run, part, end) for part in parts]


def shows(snapshot: Snapshot, since: datetime | None) -> bool:
    """Whether a snapshot shows what had changed until an instant; on a read replica it may not yet."""
    replayed = snapshot.replayed_until
    return replayed is None or since is None or replayed >= since


def _current(snapshot: Snapshot, run: ReportRun, part: Part, end: float) -> Part:
    read = _READERS[part.kind]
    return read_part(snapshot, part, lambda: read(limited(snapshot, end), run, part))


def read_part(snapshot: Snapshot, part: Part, read: Callable[[], Part]) -> Part:
    """Return what a function reads; if its SQL is at fault, the part with the error as its problem.

    Raises:
        SessionEndedError: the snapshot has ended with its session, and all is to be read again.
    """
    try:
        with snapshot.savepoint():
            return read()
    except SessionEndedError:
        raise
    except PermanentError as error:
        return part.with_problem(one_line(str(error)))


def limited(snapshot: Snapshot, end: float) -> Snapshot:
    """Return the snapshot with statements that last until a time of the monotonic clock at most.

    Raises:
        FormatError: it has passed.
    """
    left = timedelta(seconds=end - time.monotonic())
    if left <= timedelta(0):
        raise FormatError("no time was left to read it (REPORT_RESTATEMENT_SECONDS)")
    return replace(snapshot, timeout=min(left, snapshot.timeout))


def query_of(
    run: ReportRun, definition: TileDefinition | ChartDefinition | TableDefinition
) -> TableQuery:
    """Return the query of a tile, chart or table for the period of the run."""
    return TableQuery(definition.title, definition.sql, sql_parameters(run))


def _read_tile(snapshot: Snapshot, run: ReportRun, part: Part) -> Part:
    number = tile_number(snapshot, run, run.report.tiles[part.position])
    tile = Tile(part.title, unit=part.unit, decimals=part.decimals, **number._asdict())
    return tile_part(part.position, tile)


def _read_chart(snapshot: Snapshot, run: ReportRun, part: Part) -> Part:
    chart = report_chart(snapshot, run, run.report.charts[part.position])
    sent = tuple(dict.fromkeys(point.series for point in part.points))
    _check_columns(part, sent, tuple(series.name for series in chart.series))
    return chart_part(part.position, part.title, chart)


def read_table(snapshot: Snapshot, run: ReportRun, part: Part) -> Part:
    """Return a table with the fingerprint of its rows.

    Raises:
        FormatError: its columns are not those that were sent.
    """
    query = query_of(run, run.report.tables[part.position])
    found = table_part(part.position, part.title, fetch_fingerprint(snapshot, query))
    _check_columns(part, part.columns, found.columns)
    if part.columns and len(part.sums) != len(found.sums):
        raise FormatError(
            f"{part.title}: {len(found.sums)} of its columns are in double precision; sent were"
            f" {len(part.sums)}"
        )
    return found


def _check_columns(part: Part, sent: Sequence[str], found: Sequence[str]) -> None:
    if sent and sent != found:
        raise FormatError(
            f"{part.title}: its columns are {', '.join(found)}; sent were {', '.join(sent)}"
        )


_READERS: Mapping[PartKind, Callable[[Snapshot, ReportRun, Part], Part]] = {
    "tile": _read_tile,
    "chart": _read_chart,
    "table": read_table,
}
