"""User SQL is one reading statement with bound parameters."""

import pytest

from analytics_worker.database.select_guard import (
    StatementError,
    bind,
    check,
    placeholders,
    without_semicolon,
)
from tests.support.attacks import attack


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
        "select 1 /* pg_sleep(1) /* nested */ pg_sleep(1) */ -- pg_sleep(1)",
        "select e'it\\'s pg_sleep(1)' as text, U&'pg_sleep(1)', $a$ $b$ pg_sleep(1) $b$ $a$",
        "select normalized, not normalized, a is null and not normalized, normalize from t",
        "select a$b$c, setval, x'1F', b'01' from t",
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
        ("select normalize(name, NFC) from t", "normalize is not allowed"),
        ("select name IS NOT nfkc Normalized from t", "is_normalized is not allowed"),
        ("select name is normalized from t", "is_normalized is not allowed"),
        ('select pg_catalog."pg_sleep"(1)', "pg_sleep is not allowed"),
        ("select set_config('a', 'b', false)", "set_config is not allowed"),
        ("select query_to_xml('select 1', true, true, '')", "query_to_xml is not allowed"),
        ('select U&"pg\\005fsleep"(1)', "U&"),
        ("select lo_create(0)", "lo_create is not allowed"),
        ("select 'a", "never closed"),
        ("select 1 /* /* */", "never closed"),
        ('select 1 as "a', "never closed"),
        ("select 1\n, $a$ $b$", r"\$a\$ in line 2"),
        ("select 1 \0", "NUL"),
    ],
)
@attack(
    by="author",
    what="Statements that write, several statements, functions that reach beyond the result",
    answer="refused with the name that is not allowed",
)
def test_anything_else_is_refused_by_name(sql, complaint):
    with pytest.raises(StatementError, match=complaint):
        check(sql)


HIDDEN = [
    "select e'\\'', pg_sleep(9), e'\\''",
    r"select '\', pg_sleep(9), ' '",
    r"select N'\', pg_sleep(9), ' '",
    r"select x'\', pg_sleep(9), ' '",
    r"select date'\', pg_sleep(9), ' '",
    r"select U&'\', pg_sleep(9), ' '",
    "select e'a'\n'\\'', pg_sleep(9), ''",
    "select e'a' -- '\n -- b\n'\\'', pg_sleep(9), ''",
    r"select e'\\', pg_sleep(9), ' '",
    r"select e'\'', pg_sleep(9), ''",
    r'select "a\", pg_sleep(9), "b"',
    "select $a$ $b$ $a$, pg_sleep(9), $b$ $b$",
    "select $é$ ' $é$, pg_sleep(9), ''",
    "select x$$, pg_sleep(9), 'y$$'",
    "select 1 /* /* */ */, pg_sleep(9) /* */",
    "select 1 -- \r, pg_sleep(9)",
    "select 1 @-- '\n, pg_sleep(9), ''",
    "select 1 +/* ' */ pg_sleep(9), ''",
    "select pg_sleep /* , */ -- (\n (9)",
    'select "pg_sleep" (9)',
    'select PG_CATALOG . "pg_sleep"(9)',
    "select Pg_Sleep(9)",
    "select pg_termİnate_backend(1)",
    "select * from pg_sleep(9)",
    "select * from t, lateral pg_sleep(t.a)",
    "select * from rows from (pg_sleep(9), generate_series(1, 2))",
    "select sum(1) over (order by pg_sleep(9)), string_agg(pg_sleep(1)::text, ',')",
    "select ts_stat('select pg_sleep(9)')",
    "select * from crosstab('select pg_sleep(9)') as t (a int)",
    "select table_to_xml('t', true, true, '')",
]


@pytest.mark.parametrize("sql", HIDDEN)
@attack(
    by="author",
    what=r"A function hidden behind texts, comments and quotes: select '\', pg_sleep(9), ' '",
    answer="refused by name: the text is read by the rules of PostgreSQL's own lexer",
)
def test_a_function_is_found_wherever_it_is_hidden(sql):
    with pytest.raises(StatementError, match="is not allowed"):
        check(sql)


def test_only_semicolons_at_the_end_are_removed():
    assert without_semicolon("select ';' ; -- ;\n ;") == "select ';' "
    assert without_semicolon("select 1") == "select 1"


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 /* /* */ :x */",
        "select date'\\' || ':x'",
        "select $a$ ' $a$, ':x', $b$ ' :x $b$",
        "select e'\\':x' , a[1:x], b::x",
    ],
)
@attack(
    by="data",
    what="A value that is bound where PostgreSQL sees a comment or a text, and closes it",
    answer="it is no placeholder there: nothing is inserted",
)
def test_values_are_never_put_into_texts_and_comments(sql):
    assert bind(sql, {"x": "*/ ' $b$"}, None) == sql


def test_placeholders_are_outside_texts_comments_and_casts():
    sql = """select ':a', ":b", $x$ :c $x$, e'\\':d', x::text, :e /* :f */ -- :g
             from t where at > '12:30' and n = :h"""
    assert placeholders(sql) == {"e", "h"}


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        (
            (
                "select :a$x$ as n, pg_sleep(3) as value"
                ' from (select 1 as U&"true\\0024x\\0024") t  --$x$'
            ),
            True,
        ),
        ("select :a$x$ as n, pg_sleep(3) as value from t --$x$", True),
        ("select $:a$ ' $true$ , pg_sleep(2) --'", True),
        ("select E'x'\n:a, pg_sleep(1)", "y"),
    ],
)
@attack(
    by="author",
    what="A bound value next to $ or a quote, which together are another token than each alone",
    answer="Refused, or read by the server as by the check",
)
def test_a_value_never_joins_the_tokens_beside_it(sql, value):
    try:
        check(sql)
        text = bind(sql, {"a": value}, None)
    except StatementError:
        return
    check(text)


@pytest.mark.parametrize(
    ("sql", "value", "text"),
    [
        ("select :a", 1, "select  1 "),
        ("select x from t where y=:a and z", 2, "select x from t where y= 2  and z"),
        ("select y - :a::int", -5, "select y -   -5 ::int"),
        ("select (:a)", None, "select ( NULL )"),
    ],
)
def test_values_are_put_in_with_spaces_around_them(sql, value, text):
    assert bind(sql, {"a": value}, None) == text
