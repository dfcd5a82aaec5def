from importlib import import_module
from pathlib import Path

import pytest

from flows.dbt._arguments import (
    LISTS,
    OWNED,
    PATHS,
    SWITCHES,
    VALUES,
    DbtArgumentError,
    check_arguments,
)

PROJECT = Path("/srv/project")


def check(*arguments: str) -> list[str]:
    return check_arguments("run", arguments, PROJECT).argv


@pytest.mark.parametrize("option", ["--models", "--model", "-m", "--select", "-s"])
def test_every_spelling_of_a_selection_becomes_select(option):
    assert check(option, "staging", "kpis") == ["--select", "staging", "kpis"]


def test_repeated_selections_are_a_union():
    argv = check("--models", "staging", "--full-refresh", "--select=kpis", "-m", "a b")
    assert argv == ["--full-refresh", "--select", "staging", "kpis", "a", "b"]


def test_selections_and_exclusions_stay_apart():
    argv = check("--exclude", "x", "-s", "a", "--exclude", "y")
    assert argv == ["--exclude", "x", "y", "--select", "a"]


def test_options_with_values_pass_through():
    given = ["--vars", '{"day": "a=b"}', "--threads", "2", "--target", "ci", "--fail-fast"]
    assert check(*given) == given


def test_nothing_means_the_whole_project():
    arguments = check_arguments("run", [], PROJECT)
    assert (arguments.argv, arguments.selection) == ([], "")


def test_the_selection_can_be_named():
    arguments = check_arguments("run", ["-m", "a", "b", "--selector", "nightly"], PROJECT)
    assert arguments.selection == "--selector nightly --select a b"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["run-operation", "drop_everything"], "run-operation"),
        (["clean"], "clean"),
        (["--full-refresh", "clean"], "clean"),
        (["run"], "run"),
        (["--project-dir", "/etc"], "DBT_PROJECT_PATH"),
        (["--project-dir=/etc"], "DBT_PROJECT_PATH"),
        (["--profiles-dir", "/etc"], "DBT_PROFILES_DIR"),
        (["--target-path", "/tmp/x"], "--target-path"),
        (["--log-path", "/tmp/x"], "--log-path"),
        (["--state", "/etc"], "/etc"),
        (["--state", "../other"], "../other"),
        (["--defer-state", "a/../../b"], "a/../../b"),
        (["--record-timing-info", "/tmp/x"], "--record-timing-info"),
        (["--shell"], "--shell"),
        (["-rx"], "-rx"),
        (["--models"], "--models"),
        (["--models", "--full-refresh"], "--models"),
        (["--threads"], "--threads"),
        (["--vars", "--full-refresh"], "--vars"),
    ],
)
def test_what_dbt_must_not_get_is_refused_by_name(arguments, named):
    with pytest.raises(DbtArgumentError, match=named.replace(".", r"\.")):
        check(*arguments)


def test_a_state_folder_inside_the_project_is_made_absolute():
    assert check("--state", "states/prod") == ["--state", "/srv/project/states/prod"]


@pytest.mark.parametrize("command", ["run", "test"])
def test_every_option_of_dbt_has_been_decided_on(command):
    cli = import_module("dbt.cli.main").cli  # takes seconds: only where it is needed
    real = {
        spelling
        for parameter in cli.commands[command].params
        for spelling in (*parameter.opts, *parameter.secondary_opts)
        if "deprecated" not in spelling
    }
    assert real <= set(LISTS) | VALUES | PATHS | SWITCHES | set(OWNED)
