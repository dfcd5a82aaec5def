"""Fingerprints of tables: independent of the order of rows, equal where only the last digits of sums differ."""

import pytest

from flows.reports.formats import Fingerprint, TableQuery, export, fetch_rows, open_snapshot
from flows.reports.formats.query.fingerprint import fetch_fingerprint
from flows.reports.formats.query.row_hash import BATCH_ROWS
from flows.reports.restatement.comparison import changes_of
from flows.reports.restatement.parts import table_part
from tests.support.sql import execute

pytestmark = pytest.mark.usefixtures("environment")


def fingerprint(sql: str) -> Fingerprint:
    with open_snapshot() as snapshot:
        return fetch_fingerprint(snapshot, TableQuery("t", sql))


def is_same(*statements: str) -> bool:
    first, second = (table_part(0, "t", fingerprint(each)) for each in statements)
    return changes_of(first, second) == []


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("values (1, 'a'), (2, 'b')", "values (2, 'b'), (1, 'a')", True),
        ("values (1, 'a'), (2, 'b')", "values (1, 'b'), (2, 'a')", False),
        ("values (1), (1), (2)", "values (1), (2), (2)", False),
        ("values (null::int)", "values (0)", False),
        ("values ('')", "values (null::text)", False),
        ("values ('a,b', 'c')", "values ('a', 'b,c')", False),
        ("values (1.50)", "values (1.5)", True),
        ("values ('NaN'::float8), (1)", "values (1::float8), ('NaN')", True),
        ("values ('NaN'::float8), (1)", "values ('NaN'::float8), (2)", False),
        ("values (1, 0.1::float8 + 0.2::float8)", "values (1, 0.3::float8)", True),
        ("values (1, 5::float8), (2, 7)", "values (1, 7::float8), (2, 5)", False),
        ("values (1, 5::float8), (2, 7)", "values (2, 7::float8), (1, 5)", True),
        ("values (1, null::float8)", "values (1, 0::float8)", False),
        ("values (0.5::float4)", "values (0.25::float4)", False),
        ("values ('NaN'::float8)", "values ('NaN'::float8)", True),
        ("values ('inf'::float8)", "values ('-inf'::float8)", False),
        ("select 1 where false", "select 1 where false", True),
        ("select 1::float8 where false", "select 1::float8", False),
    ],
)
def test_what_is_the_same(first, second, expected):
    assert is_same(first, second) is expected


def test_rows_of_any_type_have_one():
    columns = (
        "'{\"a\":1}'::json, point(1,2), 5::money, array[1.5], row(1, 'x'), 'infinity'::date,"
        " '1 mon'::interval, '\\x00ff'::bytea, 'é'::text collate \"C\", int4range(1, 2), '::1'::inet"
    )
    found = fingerprint(f"select {columns}")
    assert (found.rows, found.sums, len(found.columns)) == (1, (), 11)
    assert found == fingerprint(f"select {columns}")


def test_columns_are_those_of_the_query_and_more_than_a_function_takes():
    many = ", ".join(f"{n} as n{n}" for n in range(300))
    assert fingerprint(f"select {many}").columns[-1] == "n299"


@pytest.mark.parametrize("name", ["csv", "json", "ndjson", "parquet", "xlsx"])
def test_a_file_is_hashed_as_by_the_server(name, tmp_path):
    """Also the rows after the first batch, and cells that are written in another way than they are hashed."""
    sql = (
        "select n, n * 1.10 as price, case n when 7 then 'NaN' else sqrt(n::float8) * (-1) ^ n end as root,"
        " nullif(n % 9, 0)::float4 as rest, '=' || chr(2) || E',\"\n' || n as text, n % 2 = 0 as even,"
        " timestamptz '2026-11-24 10:00Z' + n * interval '1 s' as at"
        f" from generate_series(1, {BATCH_ROWS + 7}) as n"
    )
    query = TableQuery("t", sql, hash_seconds=60)
    other = TableQuery("other", "select 1.5::float8 as n where false", hash_seconds=60)
    with open_snapshot() as snapshot:
        written = export(snapshot, [query, other], tmp_path / "f", name)
        expected = [fetch_fingerprint(snapshot, each) for each in (query, other)]
    found = [written.fingerprints[n] for n in (0, 1)]
    for first, second in zip(found, expected, strict=True):
        assert first is not None
        assert first._replace(sums=()) == second._replace(sums=())
        assert changes_of(table_part(0, "t", first), table_part(0, "t", second)) == []
    assert found[1] == Fingerprint(0, "0", ((None, None),), ("n",))
    assert written.rows == BATCH_ROWS + 7


def test_a_hashed_file_has_the_same_bytes(tmp_path):
    sql = "select n, n / 7.0::float8 as part, 'a,' || n as text, null as nothing from generate_series(1, 99) as n"
    with open_snapshot() as snapshot:
        for name in ("csv", "json", "ndjson"):
            for seconds in (None, 60.0):
                export(
                    snapshot,
                    [TableQuery("t", sql, hash_seconds=seconds)],
                    tmp_path / str(seconds),
                    name,
                )
            assert (tmp_path / "None").read_bytes() == (tmp_path / "60.0").read_bytes()


def test_rows_that_take_too_long_have_no_fingerprint(tmp_path):
    slow = TableQuery("t", "select 1 as n", hash_seconds=1e-9)
    with open_snapshot() as snapshot:
        assert export(snapshot, [slow], tmp_path / "f", "csv").fingerprints == {0: None}
        assert fetch_rows(snapshot, slow, 10).fingerprint is None


def test_a_cell_that_is_hashed_and_written_is_computed_once(tmp_path):
    """Else a query in the list of columns is executed twice for each row."""
    execute(
        "create function analytics.once() returns int language plpgsql stable as $$ begin"
        " if current_setting('calls.seen', true) = 'yes' then raise exception 'called twice'; end if;"
        " perform set_config('calls.seen', 'yes', true); return 1; end $$"
    )
    once = TableQuery("t", "select analytics.once() as n", hash_seconds=60)
    with open_snapshot() as snapshot:
        assert export(snapshot, [once], tmp_path / "f", "csv").rows == 1
        assert fetch_fingerprint(snapshot, once).rows == 1


def test_a_sum_beyond_double_precision_is_a_sum():
    assert is_same("values (1.7e308::float8), (1.7e308)", "values (1.7e308::float8), (1.7e308)")
    assert not is_same("values (1.7e308::float8), (1.7e308)", "values (1.7e308::float8), (1.6e308)")
