"""Values of every type, generated: none stops another rule or report, and the breaker stays closed."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.errors import PermanentError
from flows.reports.formats import (
    FORMATS,
    Document,
    Tile,
    chart_from_rows,
    export,
    fetch_rows,
    open_snapshot,
    render_html,
    render_pdf,
)
from flows.reports.formats.registry import TableQuery
from tests.flows.alerts.rules import rule, store, tick
from tests.support.attacks import attack
from tests.support.sql import query
from tests.support.sql_values import VALUES

pytestmark = pytest.mark.usefixtures("environment")

TICKS = count()
SEVERAL = st.lists(VALUES, min_size=1, max_size=8)
EXAMPLES = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
STATUSES = """select array[rule.name, evaluation.status] from ops.alert_evaluations as evaluation
    inner join ops.alert_rules as rule on rule.id = evaluation.rule_id
    where evaluation.slot = (select max(slot) from ops.alert_evaluations)"""


@attack(
    by="data",
    what="Generated values of every type and their extremes in any column of a rule",
    answer="as a key or beside the value the rule fires; as the value it fires or fails alone; the breaker stays closed",
)
@EXAMPLES
@given(SEVERAL)
def test_no_value_stops_a_rule(values: Sequence[str]):
    store(
        *(rule(f"value {n}", f"select {value} as value") for n, value in enumerate(values)),
        *(rule(f"beside {n}", f"select 11 as value, {value} as other") for n, value in enumerate(values)),
        *(rule(f"key {n}", f"select 11 as value, {value} as k", key_columns=["k"]) for n, value in enumerate(values)),
        rule("well"),
    )  # fmt: skip
    tick(next(TICKS) * 30)
    statuses = dict(query(STATUSES))
    for number, value in enumerate(values):
        assert statuses[f"beside {number}"] == "firing", value
        assert statuses[f"key {number}"] == "firing", value
    assert statuses["well"] == "firing"
    assert db_circuit_breaker.fail_counter == 0


def write(name: str, sql: str, path: Path) -> None:
    """Write a report in a format; a page has the rows as table, as chart and as tile."""
    with open_snapshot() as snapshot:
        if not FORMATS[name].document:
            export(snapshot, [TableQuery("t", sql)], path, name)
            return
        rows = fetch_rows(snapshot, TableQuery("t", sql), 5)
    html = render_html(Document("d", "now", tables=[rows]))
    if name == "pdf":
        render_pdf(html, path)
    else:
        path.write_text(html.text)


@attack(
    by="data",
    what="Generated values of every type and their extremes in the columns of a report",
    answer="every format is written, with a cell for each value; the breaker stays closed",
)
@EXAMPLES
@given(SEVERAL)
def test_no_value_stops_a_report(tmp_path: Path, values: Sequence[str]):
    columns = ", ".join(f"{value} as c{number}" for number, value in enumerate(values))
    for name in FORMATS:
        write(name, f"select {columns}", tmp_path / name)
        assert (tmp_path / name).stat().st_size
    assert db_circuit_breaker.fail_counter == 0


@EXAMPLES
@given(SEVERAL)
def test_no_value_stops_a_chart_or_a_tile(values: Sequence[str]):
    columns = ", ".join(f"{value} as c{number}" for number, value in enumerate(values))
    with open_snapshot() as snapshot:
        rows = fetch_rows(snapshot, TableQuery("t", f"select 'a' as label, {columns}"), 5)
    try:
        chart = chart_from_rows(rows)
    except PermanentError:
        event("no number")
        return
    tiles = [Tile("t", Decimal(text), Decimal(-1)) for column, text in zip(rows.columns, rows.rows[0], strict=True) if text and column.kind.value in {"integer", "float", "numeric"}]  # fmt: skip
    page = render_html(Document("d", "now", charts=[chart], tiles=tiles))
    assert page.images
