"""Check how the fields of a report combine; each problem names its field.

Reads the settings; writes nothing.
"""

from collections.abc import Iterator

from analytics_worker.database.select_guard import StatementError, check, placeholders
from analytics_worker.database.user_sql_checks import Problem, limit_problems
from analytics_worker.definitions.yaml_definitions import did_you_mean
from flows.reports.definitions.model import PartRequires, Report
from flows.reports.definitions.time_validation import time_problems
from flows.reports.formats import MAX_TIMEOUT
from flows.reports.scheduling.period_parameters import PERIOD_PARAMETERS


def problems(report: Report) -> list[Problem]:
    """Return every problem in how the fields combine; none for a valid report."""
    return [
        *_query_problems(report),
        *_sql_problems(report),
        *_format_problems(report),
        *_schedule_problems(report),
        *time_problems(report),
        *limit_problems(report.timeout, MAX_TIMEOUT, report.reader),
    ]


def _query_problems(report: Report) -> Iterator[Problem]:
    if report.sql and report.queries:
        yield "queries", "sql and queries exclude each other; expected one of them"
    elif not report.sql and not report.queries:
        yield "name", "SQL is missing; expected sql, or queries with a title and sql each"
    if report.columns and report.queries:
        yield "columns", "columns belong to each of the queries; expected them beside its sql"
    titles = [query.title for query in report.queries]
    for title in sorted({title for title in titles if titles.count(title) > 1}):
        yield "queries", f"title {title!r} is used by two queries"


def _statements(report: Report) -> Iterator[tuple[str, str]]:
    """Yield each SQL with its field."""
    if report.sql:
        yield "sql", report.sql
    for field in ("queries", "tiles", "charts"):
        for part in getattr(report, field):
            yield field, part.sql
    for tile in report.tiles:
        if tile.previous:
            yield "tiles", tile.previous


def _sql_problems(report: Report) -> Iterator[Problem]:
    used: set[str] = set()
    known = PERIOD_PARAMETERS | set(report.parameters)
    if report.for_each:
        yield from _statement_problems("for_each", report.for_each.sql)
        used |= placeholders(report.for_each.sql)
    for field, sql in _statements(report):
        yield from _statement_problems(field, sql)
        names = placeholders(sql)
        used |= names
        if not report.for_each:  # its columns are known after it has run
            for name in sorted(names - known):
                suggestion = did_you_mean(name, known)
                yield field, f":{name} is not a parameter of the report{suggestion}"
    for name in sorted(set(report.parameters) - used):
        yield "parameters", f"{name!r} is not used: write :{name} in the SQL, or remove it"
    for name in sorted(set(report.parameters) & PERIOD_PARAMETERS):
        yield "parameters", f"{name!r} is reserved for the report's period; expected another name"


def _statement_problems(field: str, sql: str) -> Iterator[Problem]:
    try:
        check(sql)
    except StatementError as error:
        yield field, str(error)


def _format_problems(report: Report) -> Iterator[Problem]:
    if len(set(report.format)) < len(report.format):
        yield "format", "a format is listed twice"


def _schedule_problems(report: Report) -> Iterator[Problem]:
    if report.after and not (report.after.dbt or report.after.views):
        yield "after", "it waits for nothing; expected `dbt: run`, `dbt: test` or views"
    if report.after and report.schedule == "manual" and not report.has_own_times:
        yield "after", "a manual report does not wait for data; expected schedule, cron or at"
    yield from _requirement_problems(report)


def _requirement_problems(report: Report) -> Iterator[Problem]:
    is_manual = report.schedule == "manual" and not report.has_own_times
    for field, owner, requires in _requirements(report):
        if requires.is_empty:
            yield (
                field,
                f"{owner} requires nothing; expected tests, fresh, complete or no_incident",
            )
        if is_manual:
            yield field, "a manual report is not held; expected schedule, cron or at"


def _requirements(report: Report) -> Iterator[tuple[str, str, PartRequires]]:
    """Yield what is required, with its field and what requires it."""
    if report.requires:
        yield "requires", "it", report.requires
    for field in ("queries", "tiles", "charts"):
        for part in getattr(report, field):
            if part.requires:
                yield field, repr(part.title), part.requires
