"""The history of a rule: the SQL that each evaluation ran, for as long as the history is kept."""

import hashlib

import pytest

from analytics_worker.settings import settings
from flows.alerts.tasks import prune
from tests.flows.alerts.rules import execute, query, rule, store, tick

pytestmark = pytest.mark.usefixtures("environment")

HASHES = "select sql_hash from ops.alert_evaluations order by slot"


def sha256(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()


def test_the_history_has_the_sql_that_was_run():
    first, second, broken = "select 9 as value", "select 11 as välue", "select nope"
    for number, sql in enumerate([first, second, second, broken]):
        store(rule(sql=sql))
        tick(number)
    assert query(HASHES) == [sha256(sql) for sql in (first, second, second, broken)]
    assert query("select hash, sql from ops.alert_sql order by first_run_at") == [
        (sha256(sql), sql) for sql in (first, second, broken)
    ]


def test_long_sql_is_truncated_and_identified_by_its_hash():
    one = f"select 11 as value -- {'x' * 30_000}"
    other = f"{one}y"
    for number, sql in enumerate([one, other]):
        store(rule(sql=sql))
        tick(number)
    assert query(HASHES) == [sha256(one), sha256(other)]
    assert query("select hash, length(sql) from ops.alert_sql order by first_run_at") == [
        (sha256(one), 20_000),
        (sha256(other), 20_000),
    ]


def test_the_time_of_the_last_run_is_exact_to_the_day():
    store(rule())
    for number in (0, 1, 719, 721, 722):
        tick(number)
    assert query("select last_run_at - first_run_at = interval '1442 minutes' from ops.alert_sql") == [True]  # fmt: skip


def test_sql_without_evaluations_is_deleted(monkeypatch):
    monkeypatch.setenv("ALERT_HISTORY_RETENTION_DAYS", "3")
    settings.cache_clear()
    store(rule("old"), rule("new"))
    tick(0)
    execute(
        "update ops.alert_sql set last_run_at = now() - case rule.name when 'old' then interval '5 days'"
        " else interval '3 days 1 hour' end from ops.alert_rules as rule where rule.id = rule_id"
    )
    prune()
    assert query(
        "select name from ops.alert_sql join ops.alert_rules as rule on rule.id = rule_id"
    ) == ["new"]


def test_the_history_of_a_rule_with_an_invalid_definition_has_no_sql():
    store(rule())
    execute("update ops.alert_rules set definition = definition || '{\"color\": 1}'")
    tick(0)
    assert query(HASHES) == [None]
