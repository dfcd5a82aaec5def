"""How the fields of a report go together; each mistake with the field it is about.

Reads the settings; writes nothing.
"""

from collections.abc import Iterator

from analytics_worker.database.select_guard import StatementError, check, placeholders
from analytics_worker.database.user_sql_checks import Problem, limit_problems
from analytics_worker.definitions.yaml_definitions import did_you_mean
from flows.reports.definitions.model import Report
from flows.reports.formats import LONGEST_TIMEOUT, format_named

PERIOD = {"period_start", "period_end"}
"""Placeholders that every report may use: its period in UTC instants, the end excluded."""


def problems(report: Report) -> list[Problem]:
    """Every mistake in how the fields go together; none for a report that can be made."""
    return [
        *_queries(report),
        *_sql(report),
        *_formats(report),
        *_schedule(report),
        *limit_problems(report.timeout, LONGEST_TIMEOUT, report.reader),
    ]


def _queries(report: Report) -> Iterator[Problem]:
    if report.sql and report.queries:
        yield "queries", "there are sql and queries; write one of them"
    elif not report.sql and not report.queries:
        yield "name", "there is no SQL: write sql, or queries with a title and sql each"
    titles = [query.title for query in report.queries]
    for title in sorted({title for title in titles if titles.count(title) > 1}):
        yield "queries", f"two queries are called {title!r}"


def _statements(report: Report) -> Iterator[tuple[str, str]]:
    """Each SQL and the field it stands in."""
    if report.sql:
        yield "sql", report.sql
    for field in ("queries", "tiles", "charts"):
        for part in getattr(report, field):
            yield field, part.sql
    for tile in report.tiles:
        if tile.previous:
            yield "tiles", tile.previous


def _sql(report: Report) -> Iterator[Problem]:
    used: set[str] = set()
    known = PERIOD | set(report.parameters)
    if report.for_each:
        yield from _checked("for_each", report.for_each.sql)
        used |= placeholders(report.for_each.sql)
    for field, sql in _statements(report):
        yield from _checked(field, sql)
        names = placeholders(sql)
        used |= names
        if not report.for_each:  # its columns are known when it has run
            for name in sorted(names - known):
                yield (
                    field,
                    f"the SQL uses :{name}, which is no parameter{did_you_mean(name, known)}",
                )
    for name in sorted(set(report.parameters) - used):
        yield "parameters", f"{name!r} is not used: write :{name} in the SQL, or remove it"
    for name in sorted(set(report.parameters) & PERIOD):
        yield "parameters", f"{name!r} is the report's period; call the parameter something else"


def _checked(field: str, sql: str) -> Iterator[Problem]:
    try:
        check(sql)
    except StatementError as error:
        yield field, str(error)


def _formats(report: Report) -> Iterator[Problem]:
    if len(set(report.format)) < len(report.format):
        yield "format", "a format is there twice"
    if report.only_if == "no_rows" and any(format_named(f).document for f in report.format):
        return


def _schedule(report: Report) -> Iterator[Problem]:
    if report.after and not (report.after.dbt or report.after.views):
        yield "after", "it waits for nothing: write `dbt: run`, or views"
    if report.after and report.schedule == "manual":
        yield "after", "nothing is awaited for a manual report; write a schedule"
