"""Mistakes in definition files: each is named by file and line, with what to write instead."""

from pathlib import Path

import pytest

from analytics_worker.definitions.yaml_definitions import DefinitionError
from flows.alerts.rules.yaml_files import load

GOOD = "alerts:\n  - name: a\n    sql: select 1\n    operator: '>'\n    threshold: 5\n"


def problems(folder: Path, alerts: str, thresholds: str = "thresholds: []\n") -> list[str]:
    (folder / "alerts.yml").write_text(alerts)
    (folder / "thresholds.yml").write_text(thresholds)
    try:
        load(folder)
    except DefinitionError as error:
        return [line.removeprefix(f"{folder}/") for line in error.problems]
    return []


def test_the_rules_of_this_project_are_fine():
    assert len(load()) >= 8


def test_a_good_file_has_no_problems(tmp_path):
    assert problems(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD + "    treshold: 5\n", "alerts.yml:6: unknown key 'treshold'; did you mean 'threshold'?"),
        (GOOD + "    fro: 5m\n", "alerts.yml:6: unknown key 'fro'; did you mean 'for'?"),
        (GOOD + "    on_empty: okay\n", "alerts.yml:6: on_empty: 'okay' is not valid; expected 'ok', 'no_data', 'keep_last' or 'alert'"),
        (GOOD + "    for: 5 minutes\n", "alerts.yml:6: for: '5 minutes' is not a valid duration; expected e.g. 30s, 10m, 2h, 1d or 1h30m"),
        (GOOD + "    name: b\n", "alerts.yml:6: not valid YAML: the key 'name' appears twice"),
        (GOOD.replace("'>'", ">"), "alerts.yml:4"),
        (GOOD.replace("'>'", "!="), 'operator: ">")'),
        (GOOD.replace("'>'", "between"), "alerts.yml:5: a: threshold has to be two numbers, [low, high],"),
        (GOOD.replace("threshold", "warning") + "    critical: 3\n", "alerts.yml:6: a: critical is reached before warning; swap the two numbers"),
        (GOOD + "    recovery: 7\n", "alerts.yml:6: a: recovery lies beyond the bound 5; it is where it is over"),
        (GOOD.replace("    threshold: 5\n", ""), "alerts.yml:2: a: there is no bound: write threshold, or warning and critical"),
        (GOOD.replace("select 1", "select 1; drop table x"), "alerts.yml:3: a: there are 2 statements; expected one SELECT"),
        (GOOD.replace("select 1", "delete from x"), "alerts.yml:3: a: DELETE is not allowed; expected one SELECT"),
        (GOOD.replace("select 1", "select :team"), "alerts.yml:3: a: the SQL uses :team; add it to parameters"),
        (GOOD + "    parameters: {x: 1}\n", "alerts.yml:6: a: 'x' is not used: write :x in the SQL, or remove it"),
        (GOOD + "    template:\n      text: '{{ valeu }}'\n", "alerts.yml:7: a: template: 'valeu' is undefined"),
        (GOOD + "    group_by: [team]\n", "alerts.yml:6: a: group_by needs key_columns"),
        (GOOD + "    channels: [{email: nobody}]\n", "alerts.yml:6: channels"),
        (GOOD + GOOD.removeprefix("alerts:\n"), "alerts.yml:6: a: there are two rules named 'a'"),
        (GOOD + "rules: []\n", "alerts.yml:6: unknown key 'rules'"),
        (GOOD.replace("5", "'5'"), "alerts.yml:5: threshold: '5' is no bound; write 5, or [1, 5] with operator between"),
        (GOOD + "    channels: [bob@example.com]\n", "alerts.yml:6: channels.0: write {email: [bob@example.com]}"),
        (GOOD + "    channels: [Ops]\n", "alerts.yml:6: channels.0.name: 'Ops' is not a valid channel; expected email, webhook, slack or the name of a block"),
        (GOOD + "    channels: email\n", "alerts.yml:6: channels: 'email' is not a list; expected [email]"),
        (GOOD + "    channels: [{email: bob}]\n", "alerts.yml:6: channels.0.to.0: 'bob' is not a valid email address; expected name@example.com"),
        (GOOD + "    owner: 5\n", "alerts.yml:6: owner: 5 is not text; expected text in quotes"),
        (GOOD + "    row_cap: 0\n", "alerts.yml:6: row_cap: 0 is too small; expected 1 or more"),
        (GOOD + "    enabled: 'yes'\n", "alerts.yml:6: enabled: 'yes' is not a boolean; expected true or false"),
        (GOOD.replace("operator", "operatr"), "alerts.yml:2: operator is missing; expected one of '>', '<'"),
        ("alerts: {a: 1}\n", "alerts.yml:1: expected `alerts:` and a list below it"),
        ("defaults: {repeat_every: 1s}\n" + GOOD, "alerts.yml:1: a: repeat_every is shorter than every"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_line_with_what_to_write(tmp_path, text, complaint):
    found = problems(tmp_path, text)
    assert any(complaint in line for line in found), found


def test_all_mistakes_of_both_files_come_at_once(tmp_path):
    found = problems(tmp_path, GOOD + "    x: 1\n    y: 2\n", "thresholds:\n  - nam: b\n")
    assert sum(line.startswith("alerts.yml") for line in found) == 2
    assert any(
        "thresholds.yml:2: unknown key 'nam'; did you mean 'name'?" in line for line in found
    )


def test_a_mistake_in_the_defaults_is_named_once_and_mistakes_come_in_order(tmp_path):
    two = GOOD + GOOD.removeprefix("alerts:\n").replace("name: a", "name: b")
    found = problems(tmp_path, "defaults:\n  chanels: [email]\n" + two + "    fro: 5m\n")
    assert found == [
        "alerts.yml:2: unknown key 'chanels'; did you mean 'channels'?",
        "alerts.yml:12: unknown key 'fro'; did you mean 'for'?",
    ]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DefinitionError, match=r"alerts\.yml: can't be read"):
        load(tmp_path)


def test_rules_take_the_defaults_of_their_file(tmp_path):
    (tmp_path / "thresholds.yml").write_text("thresholds: []")
    (tmp_path / "alerts.yml").write_text(
        "defaults: {owner: a@b.example, repeat_every: 1h}\n" + GOOD
    )
    (rule,) = load(tmp_path).values()
    assert rule.owner == "a@b.example"
