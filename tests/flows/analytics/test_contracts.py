"""Contracts of trust.yml: schema and rows are checked as they change, and a broken one is an incident."""

import pytest

from analytics_worker.contracts.checks import ReaderRows, check_data, check_schema
from analytics_worker.contracts.facts import read_facts
from analytics_worker.contracts.model import Contract
from analytics_worker.contracts.update import check_contracts
from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.definitions.yaml_definitions import DefinitionError
from analytics_worker.prefect_support.results import RunFailed
from flows.analytics import refresh_catalog

pytestmark = pytest.mark.usefixtures("environment")

READABLE = "grant select on all tables in schema raw to analytics_reader"
ORDERS = """
contracts:
  raw.orders:
    owner: ann@example.com
    columns:
      id: {type: bigint, unique: true}
      status: {type: text, not_null: true, accepted: [open, paid]}
      amount: {type: "numeric(12, 2)", min: 0, max: 1000000}
      note:
    unique: [[status, amount]]
"""


@pytest.fixture
def trust(monkeypatch, tmp_path):
    """Write definitions/trust.yml."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    monkeypatch.setattr("analytics_worker.completeness.trust_file.project_root", lambda: tmp_path)
    return (folder / "trust.yml").write_text


@pytest.fixture
def orders(sql, trust):
    sql("create table raw.orders (id int8, status text, amount numeric(12,2), note text)")
    sql("insert into raw.orders values (1, 'open', 1.5, null), (2, 'paid', 0, 'x')")
    sql(READABLE)
    trust(ORDERS)


def broken(sql):
    """The messages of the broken checks, as the incident has them."""
    return [
        row[0]
        for row in sql(
            "select message from ops.contract_checks where status = 'broken' order by name"
        )
    ]


def problem():
    """The problem that opens the incident."""
    with warehouse() as connection:
        rows = run_sql(connection, "monitoring/problems_contracts")
    return sorted(
        (row["schema_name"], row["relation_name"], row["severity"], row["owner"]) for row in rows
    )


@pytest.mark.usefixtures("orders")
def test_a_kept_contract_is_no_problem(sql):
    assert check_contracts() == []
    assert broken(sql) == []
    assert problem() == []


@pytest.mark.usefixtures("orders")
def test_rows_that_break_it_are_counted_until_they_are_corrected(sql):
    sql(
        "insert into raw.orders values (1, 'lost', -1, null), (3, null, 2e6, null), (4, 'open', 1.5, null)"
    )
    assert check_contracts() == []
    assert broken(sql) == [
        "amount is more than 1000000: 1 row",
        "status has other values than those accepted: 1 row",
        "amount is less than 0: 1 row",
        "status is null: 1 row",
        "id is not unique: 1 key",
        "status, amount is not unique: 1 key",
    ]
    assert problem() == [("raw", "orders", "critical", "ann@example.com")]
    sql("delete from raw.orders where id > 2 or status = 'lost'")
    check_contracts()
    assert broken(sql) == []


@pytest.mark.usefixtures("orders")
def test_the_schema_is_compared(sql):
    sql("alter table raw.orders drop note, alter amount type numeric(10,2), alter id type int")
    check_contracts()
    assert broken(sql) == [
        "the column note does not exist",
        "amount is numeric(10,2), the contract has numeric(12, 2)",
        "id is integer, the contract has bigint",
    ]
    sql("drop table raw.orders")
    check_contracts()
    assert broken(sql) == ["the relation does not exist"]


@pytest.mark.usefixtures("orders")
def test_rows_are_looked_at_again_only_when_they_changed(sql, trust):
    check_contracts()
    sql(
        "update ops.contract_checks set status = 'broken', message = 'old' where name like 'unique%'"
    )
    check_contracts()
    assert broken(sql) == ["old", "old"]
    sql("insert into raw.orders values (5, 'paid', 7, null)")
    check_contracts()
    assert broken(sql) == []
    sql(
        "update ops.contract_checks set status = 'broken', message = 'old' where name = 'unique id'"
    )
    trust(ORDERS.replace("max: 1000000", "max: 6"))
    check_contracts()
    assert broken(sql) == ["amount is more than 6: 1 row"], "the definition changed"


@pytest.mark.usefixtures("orders")
def test_what_cannot_be_measured_says_so_and_hides_nothing(sql, trust, monkeypatch):
    sql("insert into raw.orders values (1, 'open', -1, null)")
    check_contracts()
    assert len(broken(sql)) == 2
    monkeypatch.setattr("analytics_worker.contracts.checks.MAX_SCANNED_BYTES", 0)
    sql(
        "create index on raw.orders (amount); delete from raw.orders where amount < 0; analyze raw.orders"
    )
    problems = check_contracts()
    assert "raw.orders: unique id: 0 MB without an index on id; create one" in problems
    assert broken(sql) == ["id is not unique: 1 key"], "not measured is not repaired"
    monkeypatch.undo()
    del trust


def test_one_contract_that_fails_stops_no_other(sql, trust):
    sql("create table raw.kinds (kind int); insert into raw.kinds values (7)")
    sql("create table raw.seen (n int); insert into raw.seen values (7)")
    sql("create table raw.secret (n int)")
    sql(READABLE + "; revoke select on raw.secret from analytics_reader")
    trust(
        "contracts:\n"
        "  raw.kinds: {columns: {kind: {type: no_such_type, accepted: [one]}}}\n"
        "  raw.missing: {columns: {n: int}, severity: warning}\n"
        "  raw.secret: {columns: {n: {not_null: true}}}\n"
        "  raw.seen: {columns: {n: {type: int, max: 5}}}\n"
    )
    problems = "\n".join(check_contracts())
    assert "raw.kinds: type of kind: there is no type no_such_type; correct it" in problems
    assert (
        'raw.kinds: accepted values of kind: invalid input syntax for type integer: "one"'
        in problems
    )
    assert "raw.secret: not null n: permission denied" in problems
    assert broken(sql) == ["n is more than 5: 1 row", "the relation does not exist"]
    assert problem() == [("raw", "missing", "warning", None), ("raw", "seen", "critical", None)]


def test_odd_names(sql, trust):
    sql('create table raw."Выручка {x} 100%" ("a:b %s" text)')
    sql("""insert into raw."Выручка {x} 100%" values ('it''s'), (null), ('it''s')""")
    sql(READABLE)
    trust(
        "contracts:\n"
        "  raw.\"Выручка {x} 100%\": {columns: {'a:b %s': {type: text, not_null: true, unique: true,"
        ' accepted: ["it\'s", ":name {y} %"]}}}\n'
    )
    assert check_contracts() == []
    assert broken(sql) == ["a:b %s is null: 1 row", "a:b %s is not unique: 1 key"]


def test_indexes_and_constraints_are_taken_as_they_are(sql, trust):
    """What the server guarantees is not looked at."""
    sql("create table raw.orders (id int primary key, n int)")
    trust(
        "contracts: {raw.orders: {columns: {id: {unique: true, not_null: true}}, unique: [[n, id]]}}"
    )
    assert check_contracts() == [], "the reader may not even read it"


@pytest.mark.usefixtures("orders")
def test_another_relation_is_checked_against_the_same_contract(sql):
    """As the content of a view is before it is published."""
    sql(
        "create table raw.copy as select * from raw.orders; insert into raw.copy values (1, 'open', -5, '')"
    )
    sql(READABLE)
    contract = Contract.model_validate(
        {"columns": {"id": {"unique": True}, "amount": {"min": 0}, "more": None}}
    )
    with warehouse() as connection:
        facts = read_facts(connection, contract, "raw", "copy")
    with reader_session() as session:
        rows = check_data(ReaderRows(session), contract, facts, "raw", "copy")
    results = [*check_schema(contract, facts), *rows]
    assert [each.message for each in results if each.status == "broken"] == [
        "the column more does not exist",
        "amount is less than 0: 1 row",
        "id is not unique: 1 key",
    ]
    assert sql("select name from ops.contract_checks") == []


@pytest.mark.usefixtures("orders")
def test_a_contract_that_is_removed_ends(sql, trust):
    sql("insert into raw.orders values (9, 'lost', 1, null)")
    check_contracts()
    assert problem()
    trust("contracts: {}")
    check_contracts()
    assert problem() == []


@pytest.mark.usefixtures("prefect_api")
def test_the_catalog_checks_them_and_names_what_is_not_measured(sql, trust):
    sql("create table raw.seen (n int); insert into raw.seen values (7)")
    sql("revoke select on raw.seen from analytics_reader")
    trust("contracts: {raw.seen: {columns: {n: {max: 5}}}}")
    with pytest.raises(RunFailed) as error:
        refresh_catalog()
    result = error.value.result
    assert result
    assert result["not_measured"] == [
        "raw.seen: above n: permission denied for table seen. `analytics-worker migrate` grants what ANALYTICS_SCHEMAS names, or says who has to"
    ]
    sql(READABLE)
    sql("insert into raw.seen values (1)")
    assert refresh_catalog()["not_measured"] == []
    assert broken(sql) == ["n is more than 5: 1 row"]


def test_mistakes_have_their_lines(trust):
    trust(
        "contracts:\n  raw.a:\n    columns:\n      n: {typ: int}\n  raw.b: {severity: bad, columns: {n: 'int; drop'}}\n"
    )
    with pytest.raises(DefinitionError) as error:
        check_contracts()
    text = str(error.value)
    assert "trust.yml:4: " in text
    assert "trust.yml:5: " in text
    assert "is not a type" in text
