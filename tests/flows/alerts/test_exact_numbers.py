"""Values keep all their digits from the SQL to states, history, messages and commands."""

from datetime import timedelta
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from analytics_worker.cli.alerts import alerts
from flows.alerts.tools.backtest import backtest
from flows.alerts.tools.states import shown_states
from tests.flows.alerts.rules import START, last_content, query, rule, store, tick

BIG = 9_007_199_254_740_993
KEYED = (
    f"select * from (values ('a', {BIG}::numeric), ('b', 0.5), ('c', 'Infinity')) as t (k, value)"
)


@pytest.mark.usefixtures("environment")
def test_a_value_beyond_double_precision_fires_and_keeps_its_digits():
    store(rule("exact", f"select {BIG} as value", threshold=BIG - 1))
    tick(0)
    assert query("select cast(value as text), cast(worst as text) from ops.alert_states") == [
        (str(BIG), str(BIG))
    ]
    assert query("select cast(value as text) from ops.alert_evaluations") == [str(BIG)]
    tick(1)
    content = last_content()
    assert content["json"]["value"] == str(BIG)
    assert "9,007,199,254,740,993 (value > 9,007,199,254,740,992)" in content["subject"]


@pytest.mark.usefixtures("environment")
def test_a_number_of_401_digits_is_told_as_it_is():
    store(rule("huge", "select 10::numeric ^ 400 as value", unit="EUR"))
    tick(0)
    assert "€1e+400" in last_content()["subject"]
    (row,) = shown_states().rows
    assert row["value"] == "€1e+400"


@pytest.mark.usefixtures("environment")
def test_samples_of_keys_are_exact_for_changes_and_backtests():
    store(rule("keys", KEYED, key_columns=["k"], threshold=BIG - 1))
    tick(0)
    assert query("select readings from ops.alert_evaluations") == [
        {'["a"]': str(BIG), '["b"]': 0.5, '["c"]': "inf"}
    ]
    keyed = rule("keys", KEYED, key_columns=["k"], threshold=BIG)
    (replayed,) = backtest(keyed, START - timedelta(hours=1)).notifications
    assert (replayed.keys, replayed.value) == (1, Decimal("Infinity"))
    stricter = rule("keys", KEYED, key_columns=["k"], operator="==", threshold=BIG)
    (replayed,) = backtest(stricter, START - timedelta(hours=1)).notifications
    assert replayed.keys == 1


@pytest.mark.usefixtures("environment")
def test_commands_show_the_unit_and_format_of_a_rule(tmp_path):
    (tmp_path / "thresholds.yml").write_text("thresholds: []\n")
    (tmp_path / "alerts.yml").write_text(
        "alerts:\n"
        '  - {name: share, sql: select 0.44 as value, operator: "<", threshold: 0.5, format: percent}\n'
        '  - {name: wait, sql: select 5400 as value, operator: ">", threshold: 60, format: duration}\n'
        '  - {name: sales, sql: "select 12300 as value, :now as at", value: value, operator: ">",'
        " threshold: 1, unit: EUR}\n"
    )
    runner = CliRunner()
    options = ["--definitions", str(tmp_path)]
    for name, text in (("share", "44%"), ("wait", "1h30m"), ("sales", "€12,300")):
        result = runner.invoke(alerts, ["test", name, *options])
        assert f"firing: {text} from 1 row" in result.output
    assert runner.invoke(alerts, ["sync", *options]).exit_code == 0
    tick(0)
    assert {row["rule"]: row["value"] for row in shown_states().rows} == {
        "share": "44%",
        "wait": "1h30m",
        "sales": "€12,300",
    }
    history = runner.invoke(alerts, ["backtest", "sales", "--since", "1h", *options]).output
    assert "€12,300" in history
