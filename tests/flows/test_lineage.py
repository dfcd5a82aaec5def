"""``analytics-worker lineage`` on a real database: views, rules, reports and who receives them."""

import json
import random

import pytest
import typer
from typer.testing import CliRunner

from analytics_worker.cli.lineage import build_lineage, lineage
from analytics_worker.database.connections import warehouse
from analytics_worker.lineage.graph import Lineage
from analytics_worker.lineage.relations import add_relations, relation
from analytics_worker.settings import settings
from tests.flows.alerts.rules import rule, store
from tests.flows.reports.reports import report, store_reports
from tests.support.sql import execute

pytestmark = pytest.mark.usefixtures("environment")

VIEWS = 200
app = typer.Typer()
app.command()(lineage)


def shown(*arguments):
    return CliRunner().invoke(app, arguments)


def random_views():
    """Create views that read up to three earlier ones; return what each reads."""
    choice = random.Random(16)  # noqa: S311  # a fixed graph
    reads = {0: []}
    execute("create schema many; create table many.v0 (n int)")
    for number in range(1, VIEWS):
        reads[number] = choice.sample(range(number), min(number, choice.randint(1, 3)))
        sources = " natural join ".join(f"many.v{each}" for each in reads[number])
        kind = "materialized view" if number % 7 == 0 else "view"
        execute(f"create {kind} many.v{number} as select n from {sources} limit 0")
    return reads


def closure(reads, start):
    """What reads the start, directly or not: each number is looked at once, in order of creation."""
    below = {start}
    for number in range(start + 1, VIEWS):
        below |= {number} if below & set(reads[number]) else set()
    return below - {start}


def test_two_hundred_views():
    reads = random_views()
    graph = Lineage()
    with warehouse() as connection:
        add_relations(graph, connection)
    for start in range(VIEWS):
        found = {step.node for step in graph.downstream(relation("many", f"v{start}"))}
        assert found == {relation("many", f"v{each}") for each in closure(reads, start)}


@pytest.fixture
def shop(environment, monkeypatch, tmp_path):  # noqa: ARG001  # its database
    """Tables, views with odd names, a partition, rules and reports on them."""
    monkeypatch.setenv("DBT_PROJECT_PATH", str(tmp_path))  # no project: parsing one takes seconds
    settings.cache_clear()
    execute('create schema "Kasse 1"; grant usage on schema "Kasse 1" to analytics_reader')
    execute('create table "Kasse 1"."Umsätze.€" (amount int) partition by range (amount)')
    execute(
        'create table "Kasse 1".part partition of "Kasse 1"."Umsätze.€" for values from (0) to (10)'
    )
    execute(
        'create view "Kasse 1"."a""b" as select sum(amount) as total from "Kasse 1"."Umsätze.€"'
    )
    execute('grant select on all tables in schema "Kasse 1" to analytics_reader')
    execute("create table raw.other (n int); grant select on raw.other to analytics_reader")
    store(
        rule("Umsatz <b>", 'select total from "Kasse 1"."a""b" where :now is not null'),
        rule("broken", "select n from raw.missing"),
        rule("apart", "select n from raw.other"),
    )
    store_reports(
        report("weekly", 'select * from "Kasse 1"."a""b" where :period_start is not null'),
        report("beside", "select 1 as n"),
    )


@pytest.mark.usefixtures("shop")
def test_what_a_partition_reaches():
    result = shown("part", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    reached = {(each["kind"], each["name"]) for each in document["downstream"]}
    assert reached == {
        ("relation", '"Kasse 1"."Umsätze.€"'),
        ("relation", '"Kasse 1"."a""b"'),
        ("rule", "Umsatz <b>"),
        ("report", "weekly"),
        ("recipient", "webhook"),
        ("recipient", "ann@example.com"),
    }
    assert any("raw.missing" in problem for problem in document["problems"])


@pytest.mark.usefixtures("shop")
def test_a_rule_that_cannot_be_planned_is_named_and_hides_nothing():
    result = shown("raw.other")
    assert "apart" in result.stdout
    assert "not included: rule broken" in result.stderr


@pytest.mark.usefixtures("shop")
def test_what_a_report_is_made_from():
    result = shown("weekly")
    lines = result.stdout.splitlines()
    assert lines[0] == "weekly (report)"
    assert "is made from 3 relations" in result.stdout
    assert "reaches 1 recipient\n" in result.stdout
    assert "beside" not in result.stdout


def test_the_graph_of_the_sample_has_no_problem_but_dbt():
    graph = build_lineage()
    assert all(problem.startswith("dbt: ") for problem in graph.problems)


def test_an_unknown_name_is_an_error():
    result = shown("nothing like this")
    assert result.exit_code != 0
    assert "Nothing is called 'nothing like this'" in str(result.exception)


@pytest.mark.usefixtures("shop")
def test_promises_are_reached_with_their_time():
    insert = (
        "insert into ops.promises (name, kind, schema_name, relation_name, report, definition, timezone, since)"
        " values (:name, :kind, :schema, :relation, :report, cast(:definition as jsonb), 'Europe/Berlin', now())"
    )
    definition = '{"by": "07:30:00", "weekdays": %s}'
    execute(
        insert,
        name="raw.other",
        kind="relation",
        schema="raw",
        relation="other",
        report="",
        definition=definition % '["mon", "fri"]',
    )
    execute(
        insert,
        name="report weekly",
        kind="report",
        schema="",
        relation="",
        report="weekly",
        definition=definition % '"working"',
    )
    other, part = shown("raw.other"), shown("part")
    assert other.exit_code == 0, other.exception
    line = "  1  raw.other  (promise by 07:30 Europe/Berlin on mon, fri)"
    assert line in other.stdout.splitlines(), (
        "the relation is found, although its promise has its name"
    )
    promise = "report weekly  (promise by 07:30 Europe/Berlin on working days, through weekly)"
    assert promise in part.stdout
    assert shown("raw.other", "--kind", "promise").stdout.startswith("raw.other (promise by 07:30 ")
