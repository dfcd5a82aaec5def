"""`dbt source freshness` and `dbt docs generate` as flows."""

from pathlib import Path

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.settings import settings
from flows.dbt import dbt_docs_generate, dbt_freshness_check
from tests.flows.dbt.seen import artifact_rows, rows, task_run_names

SOURCES = """
sources:
  - name: crm
    schema: public
    config:
      loaded_at_field: loaded_at
      freshness:
        warn_after: { count: 1, period: hour }
        error_after: { count: 1, period: day }
    tables: [{ name: fresh }, { name: late }, { name: stale }, { name: empty }]
"""
TABLES = """
create table public.fresh as select now() as loaded_at;
create table public.late as select now() - interval '3 hours' as loaded_at;
create table public.stale as select now() - interval '3 days' as loaded_at;
create table public.empty as select now() as loaded_at limit 0;
"""


@pytest.fixture
def sources(model) -> None:
    model("sources.yml", SOURCES)
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text(TABLES))


@pytest.mark.usefixtures("sources")
def test_stale_sources_are_results(caplog):
    state = dbt_freshness_check(return_state=True)

    result = state.result(raise_on_failure=False)
    assert state.name == "Partial"
    assert {node["name"]: node["status"] for node in result["results"]} == {
        "crm.empty": "error",
        "crm.fresh": "pass",
        "crm.late": "warn",
        "crm.stale": "error",
    }
    assert (result["summary"]["warned"], result["summary"]["failed"]) == (1, 2)
    assert [error["message"][:21] for error in result["errors"]] == [
        "has no rows",
        "loaded 72.0 hours ago",
    ]
    assert len(artifact_rows(state)) == 4
    assert "source stale" in task_run_names(state)
    assert "Retry 1/" not in caplog.text


@pytest.mark.usefixtures("sources")
def test_only_the_named_sources_are_checked_and_unknown_ones_refused():
    checked = dbt_freshness_check(["crm.fresh"], return_state=True)
    refused = dbt_freshness_check(["crm.fresh", "crm.nosuch"], return_state=True)

    assert checked.name == "Completed"
    assert [node["name"] for node in checked.result()["results"]] == ["crm.fresh"]
    assert refused.name == "Failed"
    assert "'crm.nosuch'" in refused.message
    assert "crm.stale" in refused.message


ODD_SOURCES = r"""
sources:
  - name: crm
    schema: public
    config: &config
      loaded_at_field: '"Loaded at"'
      freshness: { error_after: { count: 1, period: day } }
    tables:
      - { name: my table, identifier: 'Weird ""Näme""' }
      - { name: my-table, identifier: unknown }
      - { name: v1.it's }
      - { name: größe }
  - { name: two words, schema: public, config: *config, tables: [{ name: größe }] }
"""
ODD_TABLES = """
create table public."Weird ""Näme\"\"" as select now() as "Loaded at";
create table public."v1.it's" as select now() - interval '9 days' as "Loaded at";
create table public."größe" as select now() as "Loaded at";
"""


def test_sources_with_spaces_quotes_dots_and_letters_of_any_language_are_selected_and_recorded(
    model,
):
    model("sources.yml", ODD_SOURCES)
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text(ODD_TABLES))
    names = ["crm.my table", "crm.v1.it's", "crm.größe", "two words"]

    state = dbt_freshness_check(names, return_state=True)

    assert state.name == "Partial", state.message
    assert {
        node["name"]: node["status"] for node in state.result(raise_on_failure=False)["results"]
    } == {
        "crm.my table": "pass",
        "crm.v1.it's": "error",
        "crm.größe": "pass",
        "two words.größe": "pass",
    }
    assert "crm.v1.it's: loaded 216.0 hours ago" in state.message
    assert {row["name"] for row in rows("select name from ops.dbt_node_results")} == {
        "crm.my table", "crm.v1.it's", "crm.größe", "two words.größe"
    }  # fmt: skip
    relations = rows('select relation_name from ops.dbt_node_health order by name collate "C"')
    assert [row["relation_name"] for row in relations] == [
        "größe", 'Weird "Näme"', "v1.it's", "größe"
    ]  # fmt: skip


def test_the_documentation_is_one_page_that_shows_the_models(model, monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_OUTPUT_DIR", str(tmp_path / "reports"))
    monkeypatch.setenv("REPORT_LINK_BASE", "https://files.example.com/reports")
    settings.cache_clear()
    model("documented.sql", "select 1 as id")
    model("documented.yml", "models: [{ name: documented, description: the-canary-text }]")

    model("left_out.sql", "select 1 as id")

    state = dbt_docs_generate(select=["documented"], return_state=True)

    result = state.result()
    assert [node["name"] for node in result["results"]] == ["documented"]
    page = Path(result["path"])
    assert page.stat().st_size == result["bytes"]
    assert "the-canary-text" in page.read_text()
    assert (settings().state_dir / "dbt-docs/index.html").read_bytes() == page.read_bytes()
    assert (tmp_path / "reports/dbt-docs.html").read_bytes() == page.read_bytes()
    assert state.message.endswith("Page: https://files.example.com/reports/dbt-docs.html")
    assert not any(name.startswith("model ") for name in task_run_names(state))


def test_the_documentation_of_another_target_replaces_no_page(
    model, project, monkeypatch, tmp_path
):
    monkeypatch.setenv("REPORT_OUTPUT_DIR", str(tmp_path / "reports"))
    settings.cache_clear()
    profile = project / "profiles.yml"
    profile.write_text(
        profile.read_text().replace("    dev:", "    other: &dev") + "    dev: *dev\n"
    )
    model("documented.sql", "select 1 as id")

    state = dbt_docs_generate(target="other", return_state=True)

    assert state.name == "Completed", state.message
    assert [file.name for file in (tmp_path / "reports").glob("*.html")] == ["dbt-docs-other.html"]
    pages = {file.name for file in (settings().state_dir / "dbt-docs").iterdir()}
    assert pages == {Path(state.result()["path"]).name, "index-other.html"}


@pytest.mark.usefixtures("sources")
def test_freshness_takes_a_target_variables_and_a_selection(project):
    profile = project / "profiles.yml"
    profile.write_text(
        profile.read_text().replace("    dev:", "    other: &dev") + "    dev: *dev\n"
    )
    file = project / "dbt_project.yml"
    file.write_text(file.read_text() + "vars: { kind: none }\n")
    chosen = {"target": "other", "vars": {"kind": "x"}, "select": ["source:crm.late"]}

    state = dbt_freshness_check(**chosen, return_state=True)
    refused = dbt_freshness_check(vars={"knid": 1}, return_state=True)

    assert [node["name"] for node in state.result()["results"]] == ["crm.late"]
    (row,) = rows("select args from ops.dbt_runs where status = 'success'")
    assert row["args"][:2] == ["--target", "other"]
    assert "'knid' is not a variable of this project" in refused.message
