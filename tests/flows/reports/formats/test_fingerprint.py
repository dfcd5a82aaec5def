"""Fingerprints of tables: independent of the order of rows, equal where only the last digits of sums differ."""

import pytest

from analytics_worker.database.session_errors import UserSqlError
from flows.reports.formats import TableQuery, open_snapshot
from flows.reports.formats.query.fingerprint import Fingerprint, fetch_fingerprint
from flows.reports.restatement.comparison import changes_of
from flows.reports.restatement.parts import table_part

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


def test_a_sum_beyond_double_precision_is_an_error_of_the_query():
    with pytest.raises(UserSqlError, match="out of range"):
        fingerprint("values (1.7e308::float8), (1.7e308)")
