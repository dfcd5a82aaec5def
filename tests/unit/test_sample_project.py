"""The sample's selection of models is for the sample's project: in another one it would be a false success."""

import pytest

from analytics_worker.sample_project import (
    SAMPLE_SELECTION,
    is_sample_project,
    without_sample_selection,
)
from analytics_worker.settings import settings


@pytest.fixture
def own_project(tmp_path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "models" / "staging").mkdir(parents=True)
    monkeypatch.setenv("DBT_PROJECT_PATH", str(tmp_path))
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_the_sample_keeps_its_selection():
    assert is_sample_project()
    nightly = {"dbt_args": SAMPLE_SELECTION}
    assert without_sample_selection(nightly) == nightly


@pytest.mark.usefixtures("own_project")
def test_another_project_is_run_whole():
    assert without_sample_selection({"dbt_args": SAMPLE_SELECTION, "x": 1}) == {"x": 1}
    own = {"dbt_args": ["--select", "marts"]}
    assert without_sample_selection(own) == own
