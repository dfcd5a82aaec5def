"""Models that read failed data are excluded where dbt has no option to skip them."""

import json
from pathlib import Path

import pytest

from analytics_worker.settings import settings
from flows.dbt._arguments import Arguments
from flows.dbt._failures import DbtProjectError
from flows.dbt._foreign_left_out import excluded_nodes, without_left_out
from tests.support.scripted_dbt import manifest

LEFT_OUT = {"model.tiny.orders": "not run: it reads seed x, which failed"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DBT_EXECUTABLE", "/bin/dbt")
    settings.cache_clear()
    document = json.loads(manifest("orders", "customers"))
    for node in document["nodes"].values():
        node["config"] = {"materialized": "table"}
    (tmp_path / "seed" / "target").mkdir(parents=True)
    (tmp_path / "seed" / "target" / "manifest.json").write_text(json.dumps(document))
    return tmp_path


def test_they_are_excluded_and_shown_as_skipped(folder: Path):
    arguments = Arguments((), {"--exclude": ["tag:x"]})
    changed = without_left_out(arguments, LEFT_OUT, folder)
    assert changed.lists == {"--exclude": ["tag:x", "fqn:tiny.orders"]}
    (node,) = excluded_nodes(LEFT_OUT, folder).values()
    assert (node["name"], node["status"]) == ("orders", "skipped")


def test_a_selector_can_not_exclude_them(folder: Path):
    with pytest.raises(DbtProjectError, match="none was run: not run: it reads seed x"):
        without_left_out(Arguments(("--selector", "nightly")), LEFT_OUT, folder)


def test_the_dbt_of_this_environment_skips_them(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DBT_EXECUTABLE", "")
    settings.cache_clear()
    arguments = Arguments(("--selector", "nightly"))
    assert without_left_out(arguments, LEFT_OUT, folder) is arguments
    assert excluded_nodes(LEFT_OUT, folder) == {}
