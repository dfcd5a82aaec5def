import json
from datetime import UTC, datetime

import pytest

from analytics_worker.settings import settings
from flows.dbt._arguments import Arguments, check_arguments
from flows.dbt._dbt_artifacts import read_nodes, status_of_summary, summary_of
from flows.dbt._environment import redact, secrets
from flows.dbt._failures import is_service_failure
from flows.dbt._selection import excluding, exclusions
from flows.dbt._workspace import Workspace, publish
from flows.dbt.docs import MAX_PAGES, publish_page
from flows.dbt.freshness import UnknownSourceError, check_source_names
from tests.support.attacks import attack


@pytest.mark.parametrize(
    "message",
    [
        'connection to server at "db" (10.0.0.1), port 5432 failed: Connection refused',
        'connection to server on socket "/run/.s.PGSQL.5432" failed: No such file or directory',
        "Database Error in model a (models/a.sql)\n  server closed the connection unexpectedly",
        "Database Error in model a\n  terminating connection due to administrator command",
        "FATAL:  the database system is shutting down",
        "FATAL:  sorry, too many clients already",
        "canceling statement due to lock timeout",
        'could not translate host name "db" to address: Temporary failure in name resolution',
    ],
)
def test_what_the_service_did_is_told_from_what_the_project_did(message):
    assert is_service_failure(message)


@pytest.mark.parametrize(
    "message",
    [
        'connection to server at "db" failed: FATAL:  password authentication failed for user "a"',
        'connection to server at "db" failed: FATAL:  database "nowhere" does not exist',
        "Database Error in model a (models/a.sql)\n  division by zero",
        "Compilation Error in model a: 'nosuch' is undefined",
        "Got 3 results, configured to fail if != 0",
        "Database Error in model a\n  canceling statement due to statement timeout",
    ],
)
def test_what_another_attempt_can_not_cure_is_no_service_failure(message):
    assert not is_service_failure(message)


def node(unique_id: str, status: str, **fields: object) -> dict[str, object]:
    return {"unique_id": unique_id, "status": status, "execution_time": 0.5, **fields}


def test_an_artifact_becomes_counts_and_one_row_per_node(tmp_path):
    results = [
        node("model.p.a", "success", adapter_response={"rows_affected": 7}),
        node("test.p.unique_my.table_id.0123abcdef", "warn", message="Got 1 result"),
        node("model.p.b", "error", message="Database Error\n  boom\n  compiled code at /x/b.sql"),
        node("model.p.c", "skipped"),
    ]
    (tmp_path / "run_results.json").write_text(json.dumps({"results": results}))

    nodes = read_nodes(tmp_path)
    summary = summary_of(nodes.values(), 2)

    assert [found["name"] for found in nodes.values()] == ["a", "unique_my.table_id", "b", "c"]
    assert nodes["model.p.a"]["rows"] == 7
    assert nodes["model.p.b"]["message"] == "Database Error boom"
    assert summary == {
        "executed": 3, "passed": 1, "warned": 1, "failed": 1, "skipped": 1, "seconds": 2
    }  # fmt: skip
    assert status_of_summary(summary, None) == "partial"


def test_the_age_of_a_source_is_told_in_words(tmp_path):
    stale = {
        "unique_id": "source.p.crm.accounts",
        "status": "error",
        "max_loaded_at": "2030-01-01T00:00:00Z",
        "max_loaded_at_time_ago_in_s": 7200,
    }
    (tmp_path / "sources.json").write_text(json.dumps({"results": [stale]}))
    (found,) = read_nodes(tmp_path).values()
    assert (found["name"], found["resource_type"]) == ("crm.accounts", "source")
    assert found["message"] == "loaded 2.0 hours ago, at 2030-01-01T00:00:00Z"


def manifest(**names: str) -> dict[str, object]:
    return {"nodes": {key: {"fqn": name.split(".")} for key, name in names.items()}}


def test_a_further_attempt_leaves_out_what_is_done(tmp_path):
    found = excluding(
        ["a"],
        check_arguments("run", ["-s", "x", "--exclude", "y"], tmp_path),
        manifest(a="p.a", b="p.b"),
    )
    assert found == ["--select", "x", "--exclude", "y", "fqn:p.a"]


def test_an_exclusion_never_takes_an_undone_node_with_it():
    parsed = manifest(kpis="p.kpis", revenue="p.kpis.revenue", other="p.kpis_old")
    assert list(exclusions({"kpis", "other"}, parsed)) == ["fqn:p.kpis_old"]


def test_beside_a_selector_nothing_is_excluded():
    arguments = Arguments(("--selector", "nightly"))
    assert excluding(["a"], arguments, manifest(a="p.a")) == ["--selector", "nightly"]


SOURCES = {
    "sources": {
        "1": {"source_name": "crm", "name": "accounts", "freshness": {"warn_after": {"count": 1}}},
        "2": {"source_name": "crm", "name": "owners", "freshness": None},
        "3": {"source_name": "web", "name": "clicks", "freshness": {"warn_after": {"count": None}}},
    }
}


@pytest.mark.parametrize("name", ["crm.owners", "web", "nosuch", "crm.accounts+", "*"])
def test_a_source_without_a_freshness_rule_is_an_error_that_lists_the_others(name):
    with pytest.raises(UnknownSourceError, match=r"expected one of: crm, crm\.accounts$"):
        check_source_names([name], SOURCES)


def test_sources_are_known_by_their_name_and_their_tables():
    check_source_names(["crm", "crm.accounts"], SOURCES)


@attack(
    by="API caller",
    what="reading passwords of profiles.yml in the log of a dbt run",
    answer="replaced by *****",
)
def test_secrets_are_found_in_variables_and_profiles_and_scrubbed(tmp_path):
    (tmp_path / "profiles.yml").write_text(
        "a:\n  password: 'canary one'\n  pass: canary-two # no\n"
        "b: { user: u, token: canary-four, password: \"{{ env_var('P') }}\" }\n"
    )
    hidden = secrets({"DBT_ENV_SECRET_PASSWORD": "p@ss word"}, tmp_path)
    text = redact("p@ss word, p%40ss%20word, canary-two, canary one, canary-four", hidden)
    assert text == "*****, *****, *****, *****, *****"


def test_the_newest_five_pages_are_kept_and_the_last_is_the_index(tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    settings.cache_clear()
    made = tmp_path / "made.html"
    for day in range(1, MAX_PAGES + 3):
        made.write_text(f"day {day}")
        publish_page(made, datetime(2030, 1, day, tzinfo=UTC))
    folder = tmp_path / "dbt-docs"
    assert sorted(page.read_text() for page in folder.glob("docs-*")) == [
        f"day {day}" for day in range(3, 8)
    ]
    assert (folder / "index.html").read_text() == "day 7"
    assert len(list(folder.iterdir())) == MAX_PAGES + 1


def test_the_parse_cache_is_replaced_in_one_step(tmp_path):
    new, shown = tmp_path / "new", tmp_path / "warm/cache"
    for content in ("one", "two"):
        new.write_text(content)
        publish(new, shown)
        assert shown.read_text() == content
    assert [path.name for path in shown.parent.iterdir()] == ["cache"]


def test_results_of_one_attempt_are_not_taken_for_those_of_the_next(tmp_path):
    work = Workspace(tmp_path, tmp_path, tmp_path)
    work.target.mkdir()
    (work.target / "run_results.json").write_text('{"results": []}')
    assert work.save_results()
    assert not work.save_results()
    assert (work.previous / "run_results.json").exists()
