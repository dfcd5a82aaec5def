"""What ``analytics-worker alerts test`` and ``backtest`` show of a rule with an expected range."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analytics_worker.cli.alerts import alerts
from flows.alerts.evaluation.runner import evaluate_due
from tests.flows.alerts.rules import METRIC, set_metric

pytestmark = pytest.mark.usefixtures("environment")

RULE = f"""\
alerts:
  - name: metric
    sql: |
      {METRIC}
    every: 1h
    expected: {{season: week}}
"""


def run(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(alerts, [*arguments, "--definitions", str(folder)])
    assert result.exit_code == 0, result.output
    return result.output


def status() -> str:
    result = CliRunner().invoke(alerts, ["status"])
    assert result.exit_code == 0, result.output
    return result.output


def test_what_is_expected_is_shown_by_test_and_backtest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "thresholds.yml").write_text("thresholds: []\n")
    (tmp_path / "alerts.yml").write_text(RULE)
    set_metric(1)
    assert run(tmp_path, "test", "metric").splitlines()[1] == "learning, 0 of 3 samples"
    run(tmp_path, "sync")
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=28)
    for day in range(29):
        set_metric(1 if day == 26 else 100 + day % 2)
        evaluate_due(["alert"], now=start + timedelta(days=day))
        assert ("ok (learning, 1 of 3 samples)" in status()) == (day < 7)
    out = run(tmp_path, "backtest", "metric", "--since", "28d1h")
    assert [line.split()[2:5] for line in out.splitlines()[1:3]] == [
        ["firing", "critical", "1"],
        ["resolved", "1", "101"],
    ]
    weekday = (start + timedelta(days=26)).strftime("%A")
    assert re.search(rf"firing .* 9\d\.\d+ to 10\d\.\d+ for {weekday}s at \d\d:00", out)
    assert "2 notifications in 29 evaluations (21 learning), from recorded samples" in out
    assert "learning" not in status()
    shown = run(tmp_path, "test", "metric").splitlines()
    assert shown[0] == "ok: 100 from 1 row"
    assert re.fullmatch(r"expected 9\d\.\d+ to 1\d\d\.\d+ for \w+days at \d\d:\d\d, from 4 samples", shown[1])  # fmt: skip
