"""The kept state of production: what later runs and `dbt diff` compare with."""

import json

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from analytics_worker.cli.dbt import dbt
from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.settings import settings
from flows.dbt import dbt_freshness_check, run_dbt_models
from flows.dbt._arguments import Arguments, check_arguments
from flows.dbt._attempts import DbtRun
from flows.dbt._workspace import workspace
from flows.dbt.state.comparison import has_nothing_to_compare
from flows.dbt.state.folder import NoStateError, keep_files, production_state, remove_old, states
from flows.dbt.state.production import is_production
from tests.flows.dbt.seen import rows
from tests.flows.dbt.test_freshness_and_docs import SOURCES, TABLES

RESOURCES = """
sources:
  - name: crm
    schema: public
    tables: [{{ name: fresh, identifier: {identifier} }}]
unit_tests:
  - name: rows_of_above
    model: above
    given: [{{ input: ref('direct'), rows: [] }}]
    expect: {{ rows: [] }}
exposures:
  - name: board
    type: dashboard
    owner: {{ name: {owner} }}
    depends_on: [ref('above')]
"""


def names(state) -> list[str]:
    return sorted(node["name"] for node in state.result(raise_on_failure=False)["results"])


def compared(*selection: str):
    return run_dbt_models(["--select", *selection, "--state", "production"], return_state=True)


def test_a_later_run_builds_what_changed_or_failed_since_production(model, project):
    model("good.sql", "select 1 as id")
    model("above.sql", "select id from {{ ref('good') }}")
    model("other.sql", "select 1 as id")

    before = compared("state:modified+")
    run_dbt_models(return_state=True)
    unchanged = compared("state:modified+")
    misspelled = compared("state:modified+", "no_such_name")
    model("good.sql", "select 2 as id")
    shown = CliRunner().invoke(dbt, ["diff"])
    modified = compared("state:modified+")
    model("other.sql", "select 1 / 0 as id")
    run_dbt_models(return_state=True)
    failed = compared("result:error")

    assert "No state of production of the dbt project 'tiny' with run_results" in before.message
    assert (unchanged.name, "nothing to do" in unchanged.message) == ("Completed", True)
    assert "No nodes of the dbt project match no_such_name" in misspelled.message
    assert [line.split() for line in shown.output.splitlines()[:2]] == [
        ["model", "good", "body"],
        ["model", "above", "reads", "good"],
    ]
    assert names(modified) == ["above", "good"]
    assert names(failed) == ["other"]
    kept = rows("select project, command, files from ops.dbt_states order by kept_at")
    assert [(row["project"], row["files"]) for row in kept] == [
        ("tiny", ["manifest.json", "run_results.json"]),  # the whole project, green
        ("tiny", ["run_results.json"]),  # nothing changed
        ("tiny", ["run_results.json"]),  # a selection
        ("tiny", ["run_results.json"]),  # not green
        ("tiny", ["run_results.json"]),
    ]
    results = json.loads((production_state(project) / "run_results.json").read_text())["results"]
    assert {result["unique_id"].split(".")[-1]: result["status"] for result in results} == {
        "good": "success",
        "above": "success",
        "other": "error",
    }


def test_a_diff_without_a_manifest_says_which_run_keeps_one(model):
    model("one.sql", "select 1 as id")
    run_dbt_models(["--select", "one"], return_state=True)
    by_default, named = (
        CliRunner().invoke(dbt, ["diff", *more]) for more in ([], ["--state", "production"])
    )
    assert [each.exit_code for each in (by_default, named)] == [1, 1]
    assert by_default.output == named.output
    assert "with manifest.json is kept" in by_default.output
    assert "of the whole project once without a failed node" in by_default.output


def test_the_newest_state_with_a_manifest_is_the_one_to_compare_with(project):
    with_manifest = keep_files("tiny", {"manifest.json": b"{}", "run_results.json": b"{}"})
    newest = keep_files("tiny", {"run_results.json": b"{}"})
    (newest / "manifest.json").unlink()
    assert production_state(project, "manifest.json") == with_manifest
    assert production_state(project) == newest
    options = check_arguments("run", ["--defer", "--state", "production"], project).options
    assert str(with_manifest) in options
    carried = keep_files("tiny", {"run_results.json": b"{}"})
    assert (carried / "manifest.json").read_bytes() == b"{}"


def test_a_diff_names_changed_sources_and_what_else_a_node_reads(model):
    def write(identifier: str, owner: str) -> None:
        model("all.yml", RESOURCES.format(identifier=identifier, owner=owner))

    write("fresh", "ann")
    model("direct.sql", "select * from {{ source('crm', 'fresh') }}")
    model("above.sql", "select * from {{ ref('direct') }}")
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text(TABLES))
    run_dbt_models(return_state=True)
    write("late", "bob")
    shown = CliRunner().invoke(dbt, ["diff"])
    assert [line.split(maxsplit=2) for line in shown.output.splitlines()[:-1]] == [
        ["model", "above", "reads source crm.fresh"],
        ["model", "direct", "reads source crm.fresh"],
        ["unit_test", "rows_of_above", "reads source crm.fresh"],
    ]


def test_models_of_fresher_sources_are_built(model):
    model("sources.yml", SOURCES)
    for table in ("fresh", "late"):
        model(f"from_{table}.sql", f"select * from {{{{ source('crm', '{table}') }}}}")
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text(TABLES))
    dbt_freshness_check(return_state=True)
    run_dbt_models(return_state=True)
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text("update public.late set loaded_at = now()"))
    dbt_freshness_check(["crm.late"], return_state=True)

    assert names(compared("source_status:fresher+")) == ["from_late"]


@pytest.mark.usefixtures("project")
def test_what_a_selection_compares_with_must_be_there(project):
    keep_files("tiny", {"run_results.json": b'{"results": []}'})
    (project / "earlier").mkdir()
    for options, error in (
        (["--select", "state:modified+", "--state", "production"], "once without a failed node"),
        (["--defer", "--state", "production"], "--defer needs manifest.json"),
        (
            ["--select", "source_status:fresher+", "--state", "production"],
            "`dbt_freshness_check` once",
        ),
        (["--select", "state:new", "--state", "earlier"], "earlier does not have"),
        (["--select", "tag:a,+state:modified.body+"], "expected --state production"),
        (["--defer"], "--defer compares with an earlier run, but --state is missing"),
    ):
        with pytest.raises(NoStateError, match=error):
            check_arguments("run", options, project)
    check_arguments("run", ["--select", "result:error+", "--state", "production"], project)


@pytest.mark.parametrize(
    ("select", "selector", "unmatched", "expected"),
    [
        (["state:modified+"], "", ["state:modified+"], True),
        (["tag:a,state:modified"], "", [], True),
        (["1+result:error+1", "@source_status:fresher"], "", ["1+result:error+1"], True),
        (["state:modified", "no_such"], "", ["state:modified", "no_such"], False),
        (["state", "tag:result"], "", ["state", "tag:result"], False),
        ([], "{'definition': {'method': 'state', 'value': 'new'}}", [], True),
        ([], "{'definition': 'tag:a'}", ["tag:a"], False),
    ],
)
def test_only_a_comparison_may_select_nothing(select, selector, unmatched, expected):
    assert has_nothing_to_compare({"--select": select}, selector, unmatched) == expected


@pytest.mark.parametrize(
    ("options", "setting", "expected"),
    [
        ((), "", True),
        (("--target", "dev"), "", True),
        (("-t", "ci"), "", False),
        ((), "prod", False),
        (("--target", "prod"), "prod", True),
        (("--empty",), "", False),
        (("--profile", "other"), "", False),
        (("--sample", "1 day"), "", False),
    ],
)
@pytest.mark.usefixtures("project")
def test_only_real_data_in_the_target_of_production_counts(monkeypatch, options, setting, expected):
    monkeypatch.setenv("DBT_PRODUCTION_TARGET", setting)
    settings.cache_clear()
    with workspace() as folders:
        assert is_production(DbtRun(("run",), Arguments(options), folders)) == expected


@pytest.mark.usefixtures("environment")
def test_the_newest_states_are_kept_and_missing_files_are_carried_over(monkeypatch, tmp_path):
    monkeypatch.setenv("DBT_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("DBT_STATES_KEPT", "2")
    settings.cache_clear()
    for number in range(3):
        keep_files("p", {"manifest.json": b"m"} if not number else {"run_results.json": b"r"})

    removed = remove_old("p")

    assert len(removed) == 1
    assert len(states("p")) == 2
    newest = states("p")[-1]
    assert (newest / "manifest.json").read_bytes() == b"m"
    assert not list(tmp_path.glob("p/.part*"))
