"""The commands ``analytics-worker alerts …`` and their output, on a real database."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analytics_worker.cli.alerts import alerts
from analytics_worker.settings import settings
from flows.alerts.evaluation.runner import evaluate_due
from tests.flows.alerts.rules import METRIC, query, set_metric

pytestmark = pytest.mark.usefixtures("environment")

RULES = f"""\
alerts:
  - name: metric
    description: Of this test.
    sql: |
      {METRIC}
    operator: ">"
    threshold: 10
    owner: owner@example.com
    channels: [webhook, {{email: [ann@example.com]}}]
  - name: teams
    sql: select * from (values ('a', 5), ('b', 25), ('c', null)) as t (team, value)
    key_columns: [team]
    operator: ">"
    threshold: 10
  - name: growth
    sql: select 100 as value
    measure: change
    operator: ">"
    threshold: 10
  - name: broken
    sql: select nope
    operator: ">"
    threshold: 10
  - name: past
    sql: select case when :now < cast(:until as timestamptz) then 20 else 1 end as value
    parameters: {{until: 2026-01-01}}
    operator: ">"
    threshold: 10
"""


class Shell:
    """Run commands on a folder of definition files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "thresholds.yml").write_text("thresholds: []\n")
        self.write(RULES)

    def write(self, alerts_yml: str) -> None:
        (self.folder / "alerts.yml").write_text(alerts_yml)

    def run(self, *arguments: str, code: int = 0) -> str:
        if arguments[0] not in {"silence", "status"}:
            arguments = (*arguments, "--definitions", str(self.folder))
        result = CliRunner().invoke(alerts, list(arguments))
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.output.replace(f"{self.folder}/", "")


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.setenv("ALERT_EMAIL_HOST", "127.0.0.1")  # the owner can be emailed
    settings.cache_clear()
    set_metric(48250.5)
    return Shell(tmp_path)


def test_validate(shell):
    assert shell.run("validate") == "5 rules are valid\n"
    shell.write("alerts: [{name: one, sql: select 1, threshold: 1, operator: '>'}]\n")
    assert "1 rule is valid\n" in shell.run("validate")
    shell.write("defaults: {chanels: [email]}\n" + RULES.replace("threshold", "treshold", 1))
    assert shell.run("validate", code=1) == (
        "alerts.yml:1: unknown key 'chanels'; did you mean 'channels'?\n"
        "alerts.yml:8: unknown key 'treshold'; did you mean 'threshold'?\n"
    )


def test_a_file_that_nothing_reads_is_named(shell):
    (shell.folder / "ours.yml").write_text(RULES)
    assert shell.run("validate") == (
        "5 rules are valid\n"
        "ours.yml is not read; expected alerts.yml, calendar.yml, reports.yml, thresholds.yml, trust.yml\n"
    )


def test_sync_stores_nothing_if_the_files_have_mistakes(shell):
    shell.write(RULES.replace("select nope", "select 1; drop table analytics.metric"))
    assert "alerts.yml:21: broken: there are 2 statements" in shell.run("sync", code=1)
    assert query("select count(*) from ops.alert_rules") == [0]


def test_diff_and_sync(shell):
    assert shell.run("diff").splitlines()[0] == "new      alert metric"
    assert query("select count(*) from ops.alert_rules") == [0]
    shell.run("sync")
    assert shell.run("sync") == "nothing to change\n"
    changed = RULES.replace(METRIC, f"{METRIC}\n      where value > 3")
    shell.write(changed.replace("threshold: 10", "threshold: 12", 1).split("  - name: past")[0])
    expected = """\
changed  alert metric
         sql:
          select value from analytics.metric
         +where value > 3
         threshold: 10.0 → 12.0
retired  alert past
"""
    assert shell.run("diff") == expected
    assert shell.run("sync") == expected
    assert query("select name from ops.alert_rules where retired_at is not null") == ["past"]


def test_test_shows_the_message_and_stores_nothing(shell):
    lines = shell.run("test", "metric").splitlines()
    assert lines[0] == "firing: 48,250.5 from 1 row"
    assert lines[2] == "Subject: [CRITICAL] metric: 48,250.5 (value > 10)"
    assert "Value:     48,250.5" in lines
    set_metric(3)
    assert shell.run("test", "metric") == "ok: 3 from 1 row\n"
    set_metric(None)
    assert shell.run("test", "metric") == "no_data: no value from 1 row\n"
    assert query("select count(*) from ops.alert_rules") == [0]


def test_test_lists_the_keys(shell):
    lines = [" ".join(line.split()) for line in shell.run("test", "teams").splitlines()]
    assert lines[:4] == [
        "firing: 1 of 3 keys fire, from 3 rows",
        "b 25 firing",
        "a 5 ok",
        "c no value no_data",
    ]


def test_test_reports_its_limits_and_errors(shell):
    assert "use backtest" in shell.run("test", "growth")
    broken = shell.run("test", "broken", code=1)
    assert broken == 'ERROR: column "nope" does not exist (line 1 of the SQL)\n'
    assert shell.run("test", "brokn", code=1) == "No rule 'brokn' found; did you mean 'broken'?\n"


@pytest.mark.usefixtures("default_channels")
def test_test_sends_a_test_message(shell, smtp_sink, http_sink):
    lines = shell.run("test", "metric", "--send").splitlines()
    assert lines[-2:] == ["webhook: sent", "email ann@example.com: sent"]
    assert http_sink.requests[0].json["test"] is True
    (received,) = smtp_sink.messages
    assert received.mail["Subject"] == "[TEST] [CRITICAL] metric: 48,250.5 (value > 10)"
    for kind in ("plain", "html"):
        part = received.mail.get_body((kind,))
        assert part is not None
        assert "This is a test message. No alert is firing." in part.get_content()
    assert query("select count(*) from ops.deliveries") == [0]


def test_backtest(shell):
    shell.run("sync")
    assert "No recorded samples of metric found" in shell.run(
        "backtest", "metric", "--since", "1d", code=1
    )
    start = datetime.now(UTC) - timedelta(minutes=10)
    for number, value in enumerate((3, 11, 40, 9)):
        set_metric(value)
        evaluate_due(["alert"], now=start + number * timedelta(minutes=2))
    out = shell.run("backtest", "metric", "--since", "1d")
    assert [line.split()[2:] for line in out.splitlines()[1:3]] == [
        ["firing", "critical", "1", "11"],
        ["resolved", "1", "9"],
    ]
    assert "2 notifications in 4 evaluations, from recorded samples" in out
    since = f"{(datetime.now(UTC) - datetime(2025, 12, 31, tzinfo=UTC)).days}d"
    historical = shell.run("backtest", "past", "--since", since)
    assert re.search(r"2 notifications in \d+ evaluations, each as of its time", historical)
    assert "'soon' is not a valid duration" in shell.run(
        "backtest", "past", "--since", "soon", code=1
    )


def test_silence(shell):
    shell.run("sync")
    assert shell.run("silence", "metric", "--for", "2h").startswith(
        "metric is silenced for 2h, until"
    )
    assert shell.run("silence", "metric", "--for", "0s") == "metric is no longer silenced\n"
    assert "did you mean 'metric'?" in shell.run("silence", "metrik", code=1)
    assert shell.run(
        "silence", "metric", "--key", "a", "--key", "b", "--severity", "warning"
    ).startswith("metric, warning, a, b is silenced for 1h, until")
    assert "expected warning or critical" in shell.run("silence", "--severity", "high", code=1)
    assert "name a rule, or give --owner" in shell.run("silence", code=1)
    assert "key: '' matches nothing" in shell.run("silence", "metric", "--key", "", code=1)


def test_a_silence_that_matches_no_state_names_the_known_keys(shell):
    shell.run("sync")
    start = "only alerts that appear later match: "
    first = shell.run("silence", "teams", "--key", "z").splitlines()
    assert first[1:] == [f"{start}teams has no state with key z; no keys are known yet"]
    evaluate_due(["alert"])
    warning = shell.run("silence", "teams", "--key", "z", "--key", "a").splitlines()[1:]
    assert warning == [f"{start}teams has no state with keys a, z; known keys: a, b, c"]
    warning = shell.run("silence", "--key", "z").splitlines()[1:]
    assert warning == [f"{start}no rule has a state with key z; known keys: a, b, c"]
    assert len(shell.run("silence", "teams", "--key", "a").splitlines()) == 1


def test_the_end_of_a_silence_names_those_that_remain(shell):
    shell.run("sync")
    for arguments in (["teams"], ["teams", "--key", "a"], ["metric"], ["--severity", "critical"]):
        shell.run("silence", *arguments)
    until = r", until [-\d]+ [:\d]+ UTC\n"
    others = f"still silenced: teams, a{until}still silenced: critical{until}"
    assert re.fullmatch(
        f"teams is no longer silenced\n{others}", shell.run("silence", "teams", "--for", "0s")
    )
    assert re.fullmatch(
        f"there is no silence of teams, b\n{others}",
        shell.run("silence", "teams", "--key", "b", "--for", "0s"),
    )
    shell.run("silence", "--severity", "critical", "--for", "0s")
    out = shell.run("silence", "teams", "--key", "a", "--for", "0s")
    assert out == "teams, a is no longer silenced\n"


def test_status(shell, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert shell.run("status") == "0 states\n"
    shell.write(RULES.replace("- name: past", "- name: past\n    depends_on: metric"))
    shell.run("sync")
    shell.run("silence", "teams", "--key", "b")
    evaluate_due(["alert"])
    lines = [re.split(r"\s{2,}", line.strip()) for line in shell.run("status").splitlines()]
    assert lines[0][:4] == ["rule", "key", "state", "severity"]
    assert lines[1][:4] == ["metric", "firing", "critical", "48,250.5"]
    assert lines[2][:3] == ["teams", "b", "firing (silenced)"]
    assert ["past", "ok (muted by metric)"] in [line[:2] for line in lines]
    assert lines[-1] == ["7 states"]
