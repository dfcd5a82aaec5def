"""The rows of one author's SQL have a limited number of bytes, and no statement escapes the limit."""

import psutil
import pytest

from analytics_worker.database.reader_sessions import UserSqlError, reader_session
from analytics_worker.settings import settings
from flows.alerts.evaluation.queries import read_samples
from flows.reports.formats import TableQuery, export, fetch_rows, open_snapshot
from tests.flows.alerts.rules import rule
from tests.support.attacks import attack

pytestmark = pytest.mark.usefixtures("usual_grants")


def memory():
    return psutil.Process().memory_info().rss / 1e6


LARGE = [
    "select repeat('x', 30000000) as value from generate_series(1, 3)",
    "select repeat('x', 60000000) as value",
    "select i, repeat('x', 100000) as value from generate_series(1, 1000) as i",
    "select array_fill(1.5, array[3000000]) as value",
    "select jsonb_agg(i) as value from generate_series(1, 3000000) as i",
    "select value from (values (repeat('é', 9000000)), ('a')) as v (value)",
]


@attack(
    by="author",
    what="Three rows of 30 MB, one of 60 MB, a thousand of 100 kB in a rule",
    answer="refused by the server before it sends them; the memory of the run does not grow",
)
@pytest.mark.parametrize("sql", LARGE)
def test_a_rule_gets_only_so_many_bytes(sql):
    with reader_session() as session:
        session.fetch("select 'warm' as value")
        before = memory()
        with pytest.raises(UserSqlError, match=r"more than 16 MB \(USER_SQL_MAX_MB\)"):
            read_samples(session, rule(sql=sql, timeout="1m"), None)
        assert memory() - before < 40


@attack(
    by="author",
    what="The same in a tile, chart or table of a report's page",
    answer="refused by the server before it sends them; the memory of the run does not grow",
)
@pytest.mark.parametrize("sql", LARGE)
def test_a_page_gets_only_so_many_bytes(sql):
    with open_snapshot() as snapshot:
        fetch_rows(snapshot, TableQuery("t", "select 'warm'"), 10)
    before = memory()
    with (
        pytest.raises(UserSqlError, match=r"t: the rows have more than 16 MB"),
        open_snapshot() as m,
    ):
        fetch_rows(m, TableQuery("t", sql), 1000)
    assert memory() - before < 40


def test_the_bound_is_a_setting_and_what_is_below_it_arrives(monkeypatch):
    monkeypatch.setenv("USER_SQL_MAX_MB", "1")
    settings.cache_clear()
    with reader_session() as session:
        assert session.fetch("select repeat('x', 900000) as a, 1 as a, null as b;").rows[0][1:] == (
            "1",
            None,
        )
        with pytest.raises(UserSqlError, match="more than 1 MB"):
            session.fetch("select repeat('x', 500000) from generate_series(1, 3)")
        assert len(session.fetch("select i from generate_series(1, 900) as i").rows) == 900
        with pytest.raises(UserSqlError, match="more than 1000 rows"):
            session.fetch("select i::text from generate_series(1, 2000) as i order by i")


@attack(
    by="author",
    what="A statement that closes the parentheses around it to escape the limit of bytes",
    answer="refused by the server",
)
@pytest.mark.parametrize(
    "sql",
    [
        "select 'a') as s) as q) as w; --",
        "select 'a') as s) union all (select 'b'",
        "select 'a') as s limit 1) as q) as w union all select 'b' --",
    ],
)
def test_the_bound_can_not_be_left(sql):
    with reader_session() as session, pytest.raises(UserSqlError, match="syntax error"):
        session.fetch(sql)


@pytest.mark.parametrize("sql", ["select 'a' -- ", "select 'a';; /* ; */ -- ;", "values ('a')"])
def test_every_end_of_a_statement_is_accepted(sql):
    with reader_session() as session:
        assert session.fetch(sql).rows == [("a",)]


def test_the_size_of_a_file_is_not_limited(tmp_path):
    rows = "select repeat('x', 1000000) as value from generate_series(1, 40)"
    with open_snapshot() as snapshot:
        assert export(snapshot, [TableQuery("t", rows)], tmp_path / "f", "csv").rows == 40
