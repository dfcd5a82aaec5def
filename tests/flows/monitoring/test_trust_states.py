"""What is known of a relation, report or rule: completeness, tests and incidents of all that it is made from."""

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import event

from analytics_worker.database.connections import warehouse
from analytics_worker.lineage.graph import Node
from analytics_worker.lineage.relations import relation
from analytics_worker.trust.state import TrustState, trust_states
from flows.monitoring.incidents.update import update_incidents
from tests.flows.monitoring.incidents import Warehouse
from tests.support.sql import execute

pytestmark = pytest.mark.usefixtures("environment")

ODD = 'Выручка {x} 100% "'
DAILY = Node("report", "daily")


def states(*units: Node) -> dict[Node, TrustState]:
    with warehouse() as connection:
        return trust_states(connection, units)


def catalog(
    name: str, through: str | None, *, schema: str = "analytics", kind: str = "table"
) -> None:
    """Store what the catalog knows of a relation: complete through an instant, changed at noon."""
    execute(
        "insert into ops.catalog_relations (schema_name, relation_name, oid, kind, columns, status, data_as_of)"
        " values (:schema, :name, 1, :kind, 1, 'active', '2026-11-25 12:00Z')",
        schema=schema,
        name=name,
        kind=kind,
    )
    execute(
        "insert into ops.completeness (schema_name, relation_name, complete_through, basis, is_partial,"
        " limited_by, measured_at) values (:schema, :name, cast(:through as timestamptz), :basis, false,"
        " :schema || '.' || :name, now())",
        schema=schema,
        name=name,
        through=through,
        basis="declared column" if through else "unknown",
    )


def reads(
    kind: str, name: str, *relations: tuple[str, str], tested: tuple[str, str] | None = None
) -> None:
    execute(
        "insert into ops.unit_reads (kind, name, relations, tested)"
        " values (:kind, :name, cast(:relations as jsonb), cast(:tested as jsonb))",
        kind=kind,
        name=name,
        relations=json.dumps(relations),
        tested=json.dumps([tested]) if tested else None,
    )


def update() -> None:
    with warehouse() as connection:
        update_incidents(connection, datetime.now(UTC))


def test_a_report_has_the_minimum_of_what_it_reads():
    catalog("orders", "2026-11-25 12:00Z")
    catalog(ODD, "2026-11-25 09:00Z", schema="raw")
    catalog("lookup", None)
    reads("report", "daily", ("analytics", "orders"), ("raw", ODD))
    reads("rule", "r", ("analytics", "orders"), ("analytics", "lookup"))
    odd = relation("raw", ODD)
    found = states(DAILY, Node("rule", "r"), odd, Node("report", "unknown"))
    nine = datetime(2026, 11, 25, 9, tzinfo=UTC)
    assert found[DAILY][:3] == (nine, False, f"raw.{ODD}")
    assert found[odd].complete_through == nine
    assert found[Node("rule", "r")].is_partial
    assert found[Node("report", "unknown")][:4] == (None, False, None, None)


def test_tests_of_all_that_it_is_made_from(units: Warehouse):
    units.model_reads("orders", "source")
    reads("report", "daily", ("analytics", "orders"))
    for name, status in (("a", "ok"), ("b", "failing"), ("c", "warning")):
        units.node(name, status, kind="test")
        reads("dbt", f"test.p.{name}", ("analytics", "source"))
    units.node("other", "failing", kind="test")
    reads("dbt", "test.p.other", ("analytics", "source"), ("raw", "x"), tested=("raw", "x"))
    found = states(DAILY, relation("raw", "x"), relation("analytics", "source"))
    assert found[DAILY].tests[:3] == (1, ("b",), ("c",))
    assert found[DAILY].tests == found[relation("analytics", "source")].tests
    assert found[relation("raw", "x")].tests.failed == ("other",)


def test_a_model_that_was_built_after_its_tests_is_untested(units: Warehouse):
    catalog("orders", None)
    reads("report", "daily", ("analytics", "orders"))
    units.node("orders", "ok")
    units.node("t", "ok", kind="test")
    reads("dbt", "test.p.t", ("analytics", "orders"))
    execute("update ops.dbt_node_health set last_result_at = now(), built_at = now()")
    assert states(DAILY)[DAILY].tests.untested == ()
    execute("update ops.dbt_node_health set built_at = now() + interval '1 s'")
    assert states(DAILY)[DAILY].tests.untested == ("analytics.orders",)
    execute("update ops.dbt_node_health set built_at = '-infinity'")
    assert states(DAILY)[DAILY].tests.untested == ()


def test_incidents_of_all_that_it_is_made_from_with_the_severity_of_that_part(units: Warehouse):
    units.model_reads("orders", "source")
    reads("report", "daily", ("analytics", "orders"))
    reads("report", "other", ("analytics", "elsewhere"))
    units.node("source", "failing")
    units.node("t", "warning", kind="test")
    units.node("elsewhere", "failing")
    reads("dbt", "test.p.t", ("analytics", "orders"))
    update()
    source = relation("analytics", "source")
    found = states(DAILY, Node("report", "other"), source)
    (own,) = found[DAILY].incidents
    assert (own.cause, own.severity) == (source, "critical")
    assert set(own.units) == {source, Node("dbt", "test.p.t")}
    assert [each.cause for each in found[Node("report", "other")].incidents] == [
        relation("analytics", "elsewhere")
    ]
    units.node("source", "ok")
    update()
    (left,) = states(DAILY)[DAILY].incidents
    assert (left.severity, left.units) == ("warning", (Node("dbt", "test.p.t"),))


def test_the_number_of_statements_does_not_grow_with_the_units():
    for number in range(30):
        reads("report", f"r{number}", ("analytics", f"t{number}"))
    with warehouse() as connection:
        statements: list[str] = []
        event.listen(connection, "before_cursor_execute", lambda *args: statements.append(args[2]))
        found = trust_states(connection, [Node("report", f"r{n}") for n in range(30)])
    assert (len(found), len(statements)) == (30, 5)
