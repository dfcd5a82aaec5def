import json
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from analytics_worker.settings import settings
from flows.dbt._arguments import (
    LISTS,
    PATHS,
    SWITCHES,
    VALUES,
    WORKER_OPTIONS,
    Arguments,
    check_arguments,
)
from flows.dbt._option_values import DbtArgumentError
from tests.support.attacks import attack

PROJECT = Path(__file__).parents[2] / "dbt_project"


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
    given = [
        "--vars",
        '{"compatibility_schema": "a=b"}',
        "--threads",
        "2",
        "--target",
        "warehouse",
        "--fail-fast",
    ]
    assert check(*given) == given


def test_nothing_means_the_whole_project():
    arguments = check_arguments("run", [], PROJECT)
    assert (arguments.argv, arguments.selection, arguments.repeated) == ([], "", [])


def test_the_selection_can_be_named():
    arguments = Arguments(("--selector", "nightly"), {"--select": ["a", "b"]})
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
        (["--resource-type", "seed"], "--resource-type"),
        (["--store-failures"], "--store-failures"),
        (["-rx"], "-rx"),
        (["--models"], "--models"),
        (["--models", "--full-refresh"], "--models"),
        (["--threads"], "--threads"),
        (["--vars", "--full-refresh"], "--vars"),
        (["--target", "-x"], "--target"),
        (["--threads", "1000000"], "--threads"),
        (["--threads", "-1"], "--threads"),
        (["--threads", "²"], "--threads"),
        (["--sqlparse", "{MAX_GROUPING_TOKENS: null}"], "--sqlparse"),
        (["--macro-debugging"], "--macro-debugging"),
        (["--select", "a\n--x"], "--select"),
        (["--select", "a" * 20_000], "--select"),
        (["--profile", "a\0b"], "--profile"),
        (["--vars", "[1]"], "--vars"),
        (["--vars", "{a: &x [1], b: *x}"], "--vars"),
        (["--vars", "{a: "], "--vars"),
        (["--vars", "{" * 5000], "--vars"),
        (["--vars", "{nosuch: 1}"], "nosuch"),
        (["--warn-error-options", "{a: &x [1], b: *x}"], "--warn-error-options"),
    ],
)
@attack(
    by="API caller",
    what="dbt_args with other subcommands, folders, files to write, foreign states, YAML bombs",
    answer="DbtArgumentError that names the option; nothing is started",
)
def test_what_dbt_must_not_get_is_refused_by_name(arguments, named):
    with pytest.raises(DbtArgumentError, match=named.replace(".", r"\.")):
        check(*arguments)


@pytest.mark.parametrize(
    "value",
    [
        "public'; drop schema raw cascade; --",
        'public" cascade',
        "1); delete from x",
        "{{ run_query('drop table x') }}",
        "$$ || pg_sleep(9) || $$",
        "a -- b",
        "a /* b",
        "a\\",
        {"nested": 1},
        [["nested"]],
    ],
)
@attack(
    by="API caller",
    what="--vars with a value that leaves the SQL literal a macro writes it into, or a Jinja tag",
    answer="DbtArgumentError that names the variable and what is allowed",
)
def test_a_variable_cannot_leave_the_literal_it_is_written_into(value):
    with pytest.raises(DbtArgumentError, match="compatibility_schema"):
        check("--vars", json.dumps({"compatibility_schema": value}))


@pytest.mark.parametrize("value", [1, 1.5, True, None, "2026-01-01", "Jörg, a b", ["a", 1]])
def test_plain_variables_pass(value):
    given = {"compatibility_schema": value}
    assert yaml.safe_load(check("--vars", json.dumps(given))[1])["compatibility_schema"] == value


def test_variables_of_a_package_are_known(tmp_path):
    (tmp_path / "dbt_project.yml").write_text("vars: {top: 1, shop: {inner: 2}}")
    assert check_arguments("run", ["--vars", "inner: 3"], tmp_path).argv == [
        "--vars",
        '{"inner": 3}',
    ]


def test_a_state_folder_inside_the_project_is_made_absolute():
    assert check("--state", "states/prod") == ["--state", str(PROJECT / "states/prod")]


def test_each_command_has_the_options_of_the_installed_dbt(monkeypatch, tmp_path):
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    settings.cache_clear()
    given = ["--store-failures", "--resource-type", "unit_test"]
    assert check_arguments("test", given, PROJECT).lists == {"--resource-type": ["unit_test"]}
    with pytest.raises(DbtArgumentError, match=r"`dbt run`; expected one of: .* more") as error:
        check_arguments("run", given[:1], PROJECT)
    assert len(str(error.value)) < 500
    assert "--store-failures," not in str(error.value).split("expected", 1)[1]
    (stored,) = (tmp_path / "dbt").iterdir()
    stored.write_text("{")  # by a full disk
    assert check_arguments("test", given, PROJECT).options == ("--store-failures",)


@pytest.mark.parametrize("command", ["run", "test"])
def test_every_option_of_dbt_has_been_decided_on(command):
    cli = import_module("dbt.cli.main").cli  # takes seconds: only where it is needed
    real = {
        spelling
        for parameter in cli.commands[command].params
        for spelling in (*parameter.opts, *parameter.secondary_opts)
        if "deprecated" not in spelling
    }
    assert real <= set(LISTS) | VALUES | PATHS | SWITCHES | set(WORKER_OPTIONS)


@pytest.fixture
def named(tmp_path, monkeypatch):
    targets = {f"t{number:02}": {} for number in range(20)} | {"prod": {}}
    profiles = {"config": {}, "shop": {"outputs": targets}, "other": {"outputs": {"ci": {}}}}
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    (tmp_path / "dbt_project.yml").write_text("profile: shop\n")
    monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path))
    settings.cache_clear()
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--target", "prdo"], "--target 'prdo' is not a target of the profile 'shop'; expected one of: prod, "),
        (["--target", "prdo"], "t10 and 9 more."),
        (["--profile", "shpo"], "--profile 'shpo' is not a profile of profiles.yml; expected one of: shop, other."),
        (["--profile", "other", "-t", "prod"], "-t 'prod' is not a target of the profile 'other'; expected one of: ci."),
        (["--selector", "nightly"], "--selector 'nightly' is not defined: the dbt project has no selectors.yml"),
        (["--vars", "{kind: 1}"], "'kind' is not a variable of this project; it declares none. It may declare others"),
    ],
)  # fmt: skip
def test_a_name_that_is_not_defined_is_refused_with_the_nearest_ones(named, arguments, error):
    with pytest.raises(DbtArgumentError) as refused:
        check_arguments("run", arguments, named)
    assert error in str(refused.value)
    assert "\n" not in str(refused.value)


def test_names_of_variables_that_are_no_texts_in_yaml_are_named_too(named):
    (named / "dbt_project.yml").write_text("vars: { off: 1, 2026: 1, kind: 1 }")
    with pytest.raises(DbtArgumentError, match="expected one of: 2026, False, kind"):
        check_arguments("run", ["--vars", "{x: 1}"], named)


def test_a_selector_is_one_of_the_project(named):
    (named / "selectors.yml").write_text("selectors: [{ name: nightly, definition: 'tag:x' }]")
    check_arguments("run", ["--selector", "nightly", "--target", "prod"], named)
    with pytest.raises(DbtArgumentError, match=r"expected one of: nightly\."):
        check_arguments("run", ["--selector", "nihgtly"], named)


@pytest.mark.usefixtures("named")
def test_names_that_only_dbt_knows_are_left_to_dbt(named):
    (named / "profiles.yml").write_text("shop: { outputs: { \"{{ env_var('T') }}\": {} } }")
    check_arguments("run", ["--target", "any"], named)
    (named / "profiles.yml").write_text("shop: {")
    check_arguments("run", ["--target", "any", "--profile", "any"], named)


def test_an_error_of_dbt_about_a_value_has_the_name_of_its_option():
    arguments = check_arguments("run", ["--indirect-selection", "egaer", "--select", "a"], PROJECT)
    assert arguments.usage_error("'egaer' is not one of 'eager', 'empty'.") == (
        "dbt_args: --indirect-selection 'egaer' is not one of 'eager', 'empty'."
    )
    assert arguments.usage_error("No such option '--x'.") == "dbt_args: No such option '--x'."


def test_an_option_that_the_installed_dbt_has_is_not_called_unknown():
    with pytest.raises(DbtArgumentError, match="a valid option of `dbt seed`, but callers can't"):
        check_arguments("seed", ["--show"], PROJECT)
