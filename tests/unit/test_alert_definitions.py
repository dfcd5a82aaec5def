"""Mistakes in definition files: each is reported by file and line, with a fix."""

from pathlib import Path

import pytest

from analytics_worker.definitions.yaml_definitions import DefinitionError
from flows.alerts.rules.model import Rule
from flows.alerts.rules.yaml_files import load

EXPECTED = "alerts:\n  - name: a\n    sql: select 1\n    expected: {}\n"
VALID = "alerts:\n  - name: a\n    sql: select 1\n    operator: '>'\n    threshold: 5\n"
RULE_B = VALID.removeprefix("alerts:\n").replace("name: a", "name: b")


def problems(folder: Path, alerts: str, thresholds: str = "thresholds: []\n") -> list[str]:
    (folder / "alerts.yml").write_text(alerts)
    (folder / "thresholds.yml").write_text(thresholds)
    try:
        load(folder)
    except DefinitionError as error:
        return [line.removeprefix(f"{folder}/") for line in error.problems]
    return []


def test_the_rules_of_this_project_are_valid():
    assert len(load()) >= 8


def test_a_valid_file_has_no_problems(tmp_path):
    assert problems(tmp_path, VALID) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (VALID + "    treshold: 5\n", "alerts.yml:6: unknown key 'treshold'; did you mean 'threshold'?"),
        (VALID + "    fro: 5m\n", "alerts.yml:6: unknown key 'fro'; did you mean 'for'?"),
        (VALID + "    on_empty: okay\n", "alerts.yml:6: on_empty: 'okay' is not valid; expected 'ok', 'no_data', 'keep_last' or 'alert'"),
        (VALID + "    for: 5 minutes\n", "alerts.yml:6: for: '5 minutes' is not a valid duration; expected e.g. 30s, 10m, 2h, 1d or 1h30m"),
        (VALID + "    name: b\n", "alerts.yml:6: not valid YAML: the key 'name' appears twice"),
        (VALID.replace("'>'", ">"), "alerts.yml:4"),
        (VALID.replace("'>'", "!="), 'operator: ">")'),
        (VALID.replace("'>'", "between"), "alerts.yml:5: a: threshold is not valid with operator 'between'; expected two numbers, [low, high]"),
        (VALID.replace("threshold", "warning") + "    critical: 3\n", "alerts.yml:6: a: critical is reached before warning; swap the two numbers"),
        (VALID + "    recovery: 7\n", "alerts.yml:6: a: recovery is beyond the bound 5; expected a value that resolves the alert"),
        (VALID.replace("    threshold: 5\n", ""), "alerts.yml:2: a: no bound is set; expected threshold, or warning and critical"),
        (VALID + "    expected: {}\n", "alerts.yml:5: a: threshold is not allowed with expected; remove one of them"),
        (EXPECTED.replace("{}", "{season: year}"), "alerts.yml:4: expected.season: 'year' is not valid; expected 'week', 'month' or 'auto'"),
        (EXPECTED.replace("{}", "{sensitivity: 0}"), "alerts.yml:4: expected.sensitivity: 0 is not valid; expected a number above 0, or {warning: 4, critical: 6}"),
        (EXPECTED.replace("{}", "{sensitivity: {warning: 3}}"), "alerts.yml:4: expected.sensitivity: {'warning': 3} is not valid; expected 4, or {warning: 4, critical: 6}"),
        (EXPECTED.replace("{}", "{sensitivity: {warning: 6, critical: 4}}"), "alerts.yml:4: a: critical is reached before warning; swap the two sensitivities"),
        (EXPECTED.replace("{}", "{sensitivity: {warning: 3, critical: 4}}") + "    severity: warning\n", "alerts.yml:5: a: severity is not allowed with a sensitivity of each severity; remove it"),
        (EXPECTED.replace("{}", "{floor: -1}"), "alerts.yml:4: expected.floor: -1 is not valid; expected 0 or a number above it"),
        (EXPECTED.replace("{}", "{floor: .inf}"), "alerts.yml:4: expected.floor: inf is not valid; expected 0 or a number above it"),
        (EXPECTED.replace("{}", "{season: month}"), "alerts.yml:4: a: season month needs the samples of 94 days, but they are kept for 30: set ALERT_HISTORY_RETENTION_DAYS to 94 or more, or use season: week"),
        (EXPECTED + "    operator: '>='\n", "alerts.yml:5: a: operator '>=' is not allowed with expected; expected < (too low), > (too high) or outside (either, the default)"),
        (EXPECTED + "    measure: change\n", "alerts.yml:5: a: measure: change is not allowed with expected, which compares with earlier samples"),
        (EXPECTED + "    every: 8d\n", "alerts.yml:5: a: every is longer than 7d; expected compares with each day of the week"),
        (VALID.replace("'>'", "outside"), "alerts.yml:5: a: threshold is not valid with operator 'outside'; expected two numbers, [low, high]"),
        (VALID.replace("select 1", "select 1; drop table x"), "alerts.yml:3: a: there are 2 statements; expected one SELECT"),
        (VALID.replace("select 1", "delete from x"), "alerts.yml:3: a: DELETE is not allowed; expected one SELECT"),
        (VALID.replace("select 1", "select :team"), "alerts.yml:3: a: the SQL uses :team; add it to parameters"),
        (VALID.replace("select 1", "select :period_end"), "alerts.yml:3: a: the SQL uses :period_end; add period: day (or hour, week, month, quarter)"),
        (VALID + "    period: day\n", "alerts.yml:6: a: the SQL uses neither :period_start nor :period_end; use them, or remove period"),
        (VALID + "    period: year\n", "alerts.yml:6: period: 'year' is not valid; expected 'hour', 'day', 'week', 'month' or 'quarter'"),
        (VALID + "    include_partial: true\n", "alerts.yml:6: a: include_partial needs period: day (hour, week, month, quarter)"),
        (VALID + "    parameters: {x: 1}\n", "alerts.yml:6: a: 'x' is not used: write :x in the SQL, or remove it"),
        (VALID + "    template:\n      text: '{{ valeu }}'\n", "alerts.yml:7: a: template: 'valeu' is undefined"),
        (VALID + "    group_by: [team]\n", "alerts.yml:6: a: group_by needs key_columns"),
        (VALID + "    was: a\n", "alerts.yml:6: a: 'a' is still the name of a rule; remove was"),
        (VALID + "    depends_on: [bb, x]\n" + RULE_B, "alerts.yml:6: a: there is no rule 'bb'; did you mean 'b'?"),
        (VALID + "    depends_on: a\n", "alerts.yml:6: a: the rule depends on itself (a → a); remove one of them"),
        (VALID + "    depends_on: b\n" + RULE_B + "    depends_on: [a]\n", "alerts.yml:6: a: the rule depends on itself (a → b → a); remove one of them"),
        (VALID + "    on_missing_key: resolve\n", "alerts.yml:6: a: on_missing_key needs key_columns; without keys, use on_empty"),
        (VALID + "    on_missing_key: ok\n", "alerts.yml:6: on_missing_key: 'ok' is not valid; expected 'resolve', 'no_data' or 'keep'"),
        (VALID + "    channels: [{email: nobody}]\n", "alerts.yml:6: channels"),
        (VALID + VALID.removeprefix("alerts:\n"), "alerts.yml:6: a: there are two rules named 'a'"),
        (VALID + "rules: []\n", "alerts.yml:6: unknown key 'rules'"),
        (VALID.replace("5", "'5 %'"), "alerts.yml:5: threshold: '5 %' is not a valid bound; expected 5, or [1, 5] with operator between"),
        (VALID + "    channels: [bob@example.com]\n", "alerts.yml:6: channels.0: write {email: [bob@example.com]}"),
        (VALID + "    channels: [Ops]\n", "alerts.yml:6: channels.0.name: 'Ops' is not a valid channel; expected email, webhook, slack or the name of a block"),
        (VALID + "    channels: email\n", "alerts.yml:6: channels: 'email' is not a list; expected [email]"),
        (VALID + "    channels: [{email: bob}]\n", "alerts.yml:6: channels.0.to.0: 'bob' is not a valid email address; expected name@example.com"),
        (VALID + "    owner: 5\n", "alerts.yml:6: owner: 5 is not text; expected text in quotes"),
        (VALID + "    row_cap: 0\n", "alerts.yml:6: row_cap: 0 is too small; expected 1 or more"),
        (VALID + "    enabled: 'yes'\n", "alerts.yml:6: enabled: 'yes' is not a boolean; expected true or false"),
        (VALID.replace("operator", "operatr"), "alerts.yml:2: operator is missing; expected one of '>', '<'"),
        ("alerts: {a: 1}\n", "alerts.yml:1: expected `alerts:` and a list below it"),
        (VALID.replace("name: a", "name: '  '"), "alerts.yml:2: name: '  ' is not valid; expected one line of 1 to 200 characters that are not all spaces"),
        (VALID + "    depends_on: 5\n", "alerts.yml:6: depends_on: 5 is not valid; expected the name of a rule in quotes, or a list of names"),
        (VALID + "    unit: 'a\"b'\n", "is not a valid unit; expected up to 20 characters, without double quotes and line ends"),
        (VALID + "    runbook: 'ftp://x'\n", "alerts.yml:6: a: runbook: 'ftp://x' is not a valid address; expected one such as https://wiki.example.com/page, or a text"),
        (VALID + "    at: '09:00'\n    every: 5m\n", "alerts.yml:7: a: every and at exclude each other; remove one of them"),
        (VALID + "    every: 5m\n    cron: '0 9 * * *'\n", "alerts.yml:6: a: every and cron exclude each other; remove one of them"),
        ("defaults: {repeat_every: 1s}\n" + VALID, "alerts.yml:1: a: repeat_every is shorter than every"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_by_line_with_a_fix(tmp_path, text, complaint):
    messages = problems(tmp_path, text)
    assert any(complaint in line for line in messages), messages


def test_the_period_of_the_defaults_is_for_the_rules_without_times(tmp_path):
    assert problems(tmp_path, "defaults: {every: 5m}\n" + VALID + "    at: '09:00'\n") == []


def test_a_rule_without_a_bound_has_an_expected_range(tmp_path):
    assert problems(tmp_path, EXPECTED) == []
    (rule,) = load(tmp_path).values()
    assert rule.operator == "outside"
    assert Rule.model_validate_json(rule.to_json()) == rule


def test_two_rules_can_not_have_been_the_same(tmp_path):
    two = VALID + "    was: x\n" + VALID.removeprefix("alerts:\n").replace("name: a", "name: b")
    assert problems(tmp_path, two + "    was: x\n") == [
        "alerts.yml:11: b: another rule was 'x', too; remove one of them"
    ]


def test_mistakes_of_both_files_are_reported_together(tmp_path):
    messages = problems(tmp_path, VALID + "    x: 1\n    y: 2\n", "thresholds:\n  - nam: b\n")
    assert sum(line.startswith("alerts.yml") for line in messages) == 2
    assert any(
        "thresholds.yml:2: unknown key 'nam'; did you mean 'name'?" in line for line in messages
    )


def test_a_mistake_in_the_defaults_is_reported_once_and_in_order(tmp_path):
    two = VALID + VALID.removeprefix("alerts:\n").replace("name: a", "name: b")
    messages = problems(tmp_path, "defaults:\n  chanels: [email]\n" + two + "    fro: 5m\n")
    assert messages == [
        "alerts.yml:2: unknown key 'chanels'; did you mean 'channels'?",
        "alerts.yml:12: unknown key 'fro'; did you mean 'for'?",
    ]


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(DefinitionError, match=r"alerts\.yml: can't be read"):
        load(tmp_path)


def test_rules_have_the_defaults_of_their_file(tmp_path):
    (tmp_path / "thresholds.yml").write_text("thresholds: []")
    (tmp_path / "alerts.yml").write_text(
        "defaults: {owner: a@b.example, repeat_every: 1h}\n" + VALID
    )
    (rule,) = load(tmp_path).values()
    assert rule.owner == "a@b.example"


def test_a_rule_may_depend_on_one_of_the_other_file_by_its_former_name_or_on_one_with_mistakes(
    tmp_path,
):
    other = RULE_B.replace("name: b", "name: new") + "    was: b\n"
    alerts = (
        VALID + "    depends_on: [b, new, c]\n" + RULE_B.replace("name: b", "name: c\n    fro: 1m")
    )
    assert problems(tmp_path, alerts, "thresholds:\n" + other) == [
        "alerts.yml:8: unknown key 'fro'; did you mean 'for'?"
    ]


def test_a_cycle_by_a_former_name_is_refused(tmp_path):
    other = RULE_B + "    was: old\n    depends_on: a\n"
    assert "(a → b → a)" in problems(tmp_path, VALID + "    depends_on: old\n" + other)[0]
