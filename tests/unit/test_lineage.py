"""The graph of lineage: what is reached, through what, and what dbt's manifest adds."""

import pytest

from analytics_worker.lineage.graph import Lineage, Node
from analytics_worker.lineage.manifest import add_manifest
from analytics_worker.lineage.relations import relation, relation_of
from analytics_worker.lineage.search import UnknownNameError, find

PROJECT = "jaffle_shop"


def entry(kind, name, *parents, **fields):
    return {
        "resource_type": kind,
        "name": name,
        "schema": "shop",
        "depends_on": {"nodes": list(parents)},
        **fields,
    }


def jaffle_shop():
    """The graph of dbt's example project, with an exposure, a test and an ephemeral model."""
    key = {n: f"model.{PROJECT}.{n}" for n in ("customers", "orders", "totals")}
    staged = {n: f"model.{PROJECT}.stg_{n}" for n in ("customers", "orders", "payments")}
    raw = {n: f"seed.{PROJECT}.raw_{n}" for n in ("customers", "orders", "payments")}
    ephemeral = {"materialized": "ephemeral"}
    nodes = {
        **{raw[n]: entry("seed", f"raw_{n}") for n in raw},
        **{staged[n]: entry("model", f"stg_{n}", raw[n]) for n in staged},
        key["totals"]: entry("model", "totals", staged["payments"], config=ephemeral),
        key["customers"]: entry(
            "model", "customers", staged["customers"], staged["orders"], key["totals"]
        ),
        key["orders"]: entry(
            "model", "orders", staged["orders"], key["totals"], alias="Bestellungen"
        ),
        f"test.{PROJECT}.unique_orders.1": entry("test", "unique_orders", key["orders"]),
    }
    exposure = entry("exposure", "weekly", key["orders"])
    return {"nodes": nodes, "exposures": {f"exposure.{PROJECT}.weekly": exposure}}


def names(steps):
    return {step.node.name for step in steps}


@pytest.fixture
def shop():
    lineage = Lineage()
    add_manifest(lineage, jaffle_shop())
    return lineage


def test_everything_below_the_payments_is_reached(shop):
    assert names(shop.downstream(find(shop, "raw_payments"))) == {
        "shop.stg_payments",
        "model.jaffle_shop.totals",
        "shop.customers",
        'shop."Bestellungen"',
        "test.jaffle_shop.unique_orders.1",
        "exposure.jaffle_shop.weekly",
    }


def test_nothing_beside_the_customers_is_reached(shop):
    assert names(shop.downstream(find(shop, "stg_customers"))) == {"shop.customers"}


def test_everything_that_the_exposure_is_made_from(shop):
    assert names(shop.upstream(find(shop, "weekly"))) == {
        'shop."Bestellungen"',
        "shop.stg_orders",
        "shop.raw_orders",
        "model.jaffle_shop.totals",
        "shop.stg_payments",
        "shop.raw_payments",
    }


def test_distances_and_the_way(shop):
    steps = {step.node.name: step for step in shop.downstream(find(shop, "raw_customers"))}
    assert steps["shop.customers"].distance == 2
    assert steps["shop.customers"].through.name == "shop.stg_customers"


@pytest.mark.parametrize(
    "name",
    ["Bestellungen", 'shop."Bestellungen"', "orders", "weekly", "exposure.jaffle_shop.weekly"],
)
def test_a_thing_is_found_by_each_of_its_names(shop, name):
    assert find(shop, name).name in {'shop."Bestellungen"', "exposure.jaffle_shop.weekly"}


def test_an_unknown_name_has_similar_ones(shop):
    with pytest.raises(UnknownNameError, match="similar names: raw_orders"):
        find(shop, "raw_order")


def test_a_name_of_several_things_is_refused_with_all_of_them(shop):
    shop.descriptions |= {Node("rule", "orders"): "rule", Node("report", "orders"): "report"}
    with pytest.raises(UnknownNameError, match="add --kind: report orders, rule orders"):
        find(shop, "orders")
    assert find(shop, "orders", "rule") == Node("rule", "orders")


@pytest.mark.parametrize(
    "manifest",
    [{}, {"nodes": []}, {"nodes": {"model.a.b": None}}, {"nodes": {"a": {"depends_on": []}}}],
)
def test_a_manifest_of_another_form_adds_what_it_has(manifest):
    add_manifest(Lineage(), manifest)


def test_a_cycle_ends():
    lineage = Lineage()
    a, b = Node("relation", "s.a"), Node("relation", "s.b")
    lineage.add(a, b)
    lineage.add(b, a)
    assert names(lineage.downstream(a)) == {"s.b"}


@pytest.mark.parametrize("schema", ["raw", "Raw", "a.b", 'a"b', "ümlaut", "with space", "1st"])
@pytest.mark.parametrize("name", ["t", "T", "t.x", 't"."x', "€", "order"])
def test_a_relation_is_the_same_however_it_is_quoted(schema, name):
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name))
    assert relation_of(quoted) == relation(schema, name)
    assert relation_of(relation(schema, name).name) == relation(schema, name)


def test_a_statement_is_below_the_last_of_what_it_reads():
    lineage = Lineage()
    table, view, other = (relation("s", each) for each in ("table", "view", "other"))
    lineage.add(table, view)
    lineage.add_reads(Node("rule", "r"), [table, view, other])
    assert lineage.readers[view] == {Node("rule", "r")}
    assert lineage.readers[other] == {Node("rule", "r")}
    assert lineage.readers[table] == {view}
