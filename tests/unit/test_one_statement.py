"""SQL that users wrote: one reading statement, and its parameters."""

import pytest

from toolkit.one_statement import StatementError, check, placeholders


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "select 1; -- done",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "(select 1) union all (select 2)",
        "values (1)",
        "table analytics.pipeline_kpis",
        "select 'a; drop table b' as text, $$pg_sleep(1)$$",
        "select lower(name), location from x where stage = 'lo_create'",
    ],
)
def test_reading_is_accepted(sql):
    check(sql)


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("", "empty"),
        ("-- nothing", "empty"),
        ("select 1; select 2", "2 statements"),
        ("update x set a = 1", "UPDATE is not allowed"),
        ("do $$ begin end $$", "DO is not allowed"),
        ("copy (select 1) to program 'id'", "COPY is not allowed"),
        ("select pg_sleep(1)", "pg_sleep is not allowed"),
        ('select pg_catalog."pg_sleep"(1)', "pg_sleep is not allowed"),
        ("select set_config('a', 'b', false)", "set_config is not allowed"),
        ("select query_to_xml('select 1', true, true, '')", "query_to_xml is not allowed"),
        ('select U&"pg\\005fsleep"(1)', "U&"),
        ("select lo_create(0)", "lo_create is not allowed"),
    ],
)
def test_anything_else_is_refused_by_name(sql, complaint):
    with pytest.raises(StatementError, match=complaint):
        check(sql)


def test_placeholders_are_outside_texts_comments_and_casts():
    sql = """select ':a', ":b", $x$ :c $x$, e'\\':d', x::text, :e /* :f */ -- :g
             from t where at > '12:30' and n = :h"""
    assert placeholders(sql) == {"e", "h"}
