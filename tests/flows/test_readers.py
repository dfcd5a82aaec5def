"""With a reader role for each team, no team can read or see another team's data."""

import json

import pytest

from analytics_worker.database import connections
from analytics_worker.database.connections import reader_url
from analytics_worker.database.reader_sessions import UserSqlError, reader_session
from analytics_worker.definitions.yaml_definitions import DefinitionError
from analytics_worker.doctor import reader_role
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from flows.alerts.rules.payloads import AlertRequestError, parse_alert
from flows.alerts.rules.validation import find_problems
from flows.alerts.rules.yaml_files import load as load_rules
from flows.reports.definitions.payloads import ReportRequestError, report_from_payload
from flows.reports.formats import TableQuery, fetch_rows, open_snapshot
from tests.flows.alerts.rules import rule, store, tick
from tests.support.attacks import attack
from tests.support.postgres import administer
from tests.support.sql import execute, query

ROLES = ("team_finance", "team_sales")


@pytest.fixture
def two_readers(environment, postgres, monkeypatch):  # noqa: ARG001  # its database
    """Create roles finance and sales, each with a table of its own."""
    urls = {}
    for role in ROLES:
        administer(postgres, "create role {role} login noinherit password 'secret'", role=role)
        name = role.removeprefix("team_")
        execute(f"create table raw.{name} as select 11 as value")
        execute(f"grant usage on schema raw to {role}; grant select on raw.{name} to {role}")
        url = reader_url().set(username=role, password="secret")
        urls[name] = url.render_as_string(hide_password=False)
    monkeypatch.setenv("READER_DATABASE_URLS", json.dumps(urls))
    settings.cache_clear()
    yield
    connections.dispose()
    for role in ROLES:
        execute(
            f"revoke all on all tables in schema raw from {role}; revoke all on schema raw from {role}"
        )
        administer(postgres, "drop role {role}", role=role)


@pytest.mark.usefixtures("two_readers")
@attack(
    by="author",
    what="Another team's table in a rule or report, its SQL in pg_stat_activity, the end of its session",
    answer="permission denied, and nothing visible, if each team has a reader of its own",
)
def test_a_team_reads_and_sees_only_its_own():
    with reader_session("finance") as finance, reader_session("sales") as sales:
        ((pid,),) = sales.fetch("select pg_backend_pid() from raw.sales -- a secret of sales").rows
        with pytest.raises(UserSqlError, match="permission denied"):
            finance.fetch("select * from raw.sales")
        seen = finance.fetch(
            "select query from pg_stat_activity where pid = :pid", {"pid": pid}
        ).rows
        assert seen == [("<insufficient privilege>",)]
    with open_snapshot(reader="finance") as snapshot:
        assert fetch_rows(snapshot, TableQuery("t", "select value from raw.finance"), 1).rows == (
            ("11",),
        )
    with (
        pytest.raises(UserSqlError, match="permission denied"),
        open_snapshot(reader="sales") as snapshot,
    ):
        fetch_rows(snapshot, TableQuery("t", "select value from raw.finance"), 1)


@pytest.mark.usefixtures("two_readers")
def test_each_rule_runs_as_its_reader():
    store(
        rule("finance", "select value from raw.finance", reader="finance"),
        rule("sales", "select value from raw.sales", reader="sales"),
        rule("wrong", "select value from raw.sales", reader="finance"),
        rule("usual"),
    )
    counts = tick(0)
    assert (counts.evaluated, counts.errors, counts.firing) == (4, 1, 3)


@pytest.mark.usefixtures("two_readers")
def test_a_removed_reader_is_the_rules_own_error(monkeypatch):
    store(rule("finance", "select value from raw.finance", reader="finance"), rule("usual"))
    monkeypatch.setenv("READER_DATABASE_URLS", "{}")
    settings.cache_clear()
    counts = tick(0)
    assert (counts.evaluated, counts.errors, counts.firing) == (2, 1, 1)
    (reason,) = query("select error from ops.alert_evaluations where error is not null")
    assert "no reader 'finance' found" in reason


@pytest.mark.usefixtures("two_readers")
@attack(
    by="API caller",
    what="A reader that is not configured, or a URL in place of a name, in alert_data or report_config",
    answer="refused with the known names",
)
@pytest.mark.parametrize("reader", ["postgres", "financ", "postgresql://postgres@localhost/x"])
def test_callers_can_name_only_a_reader_that_is_configured(reader):
    alert = {"id": "a", "query": "select 1", "operator": ">", "threshold": 1, "reader": reader}
    with pytest.raises(AlertRequestError, match=r"no reader .* found in READER_DATABASE_URLS"):
        parse_alert(alert)
    with pytest.raises(ReportRequestError, match=r"no reader .* found in READER_DATABASE_URLS"):
        report_from_payload({"name": "r", "query": "select 1", "reader": reader}, "report_config")
    with (
        pytest.raises(PermanentError, match=r"no reader .* found;"),
        open_snapshot(reader=reader),
    ):
        pass
    assert parse_alert({**alert, "reader": "sales"})[1].reader == "sales"


@pytest.mark.usefixtures("two_readers")
def test_doctor_looks_at_each_reader():
    names = {finding.name for finding in reader_role.readers()}
    assert {"reader can't write", "reader finance can't write", "reader sales can't write"} <= names


@attack(
    by="author",
    what="timeout: 400d in a rule or report",
    answer="refused with file and line",
)
def test_a_timeout_has_an_upper_bound(tmp_path):
    (tmp_path / "thresholds.yml").write_text("thresholds: []")
    (tmp_path / "alerts.yml").write_text(
        'alerts:\n  - name: a\n    sql: select 1\n    operator: ">"\n    threshold: 1\n'
        "    timeout: 400d\n    reader: nobody\n"
    )
    with pytest.raises(DefinitionError) as raised:
        load_rules(tmp_path)
    assert "alerts.yml:6: a: timeout 400d is too long; expected 3m or less" in str(raised.value)
    assert "alerts.yml:7: a: no reader 'nobody' found in READER_DATABASE_URLS" in str(raised.value)
    with pytest.raises(ReportRequestError, match="timeout 2h is too long; expected 1h or less"):
        report_from_payload({"name": "r", "query": "select 1", "timeout": "2h"}, "report_config")
    assert find_problems(rule(timeout="0s")) == [
        ("timeout", "timeout 0s is too short; expected more than 0s")
    ]
