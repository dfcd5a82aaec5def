"""A small dbt project of its own for each test, on a real database, below a real Prefect server."""

from pathlib import Path

import pytest

from analytics_worker.settings import settings
from flows.dbt import _process
from flows.dbt.data_tests import run_tests
from flows.dbt.models import run_models
from tests.support.scripted_dbt import ScriptedDbt

PROJECT = """
name: tiny
version: "1.0"
profile: tiny
models: { +materialized: table }
"""
PROFILES = """
tiny:
  target: dev
  outputs:
    dev:
      type: postgres
      host: "{{ env_var('DBT_HOST') }}"
      port: "{{ env_var('DBT_PORT') | int }}"
      user: "{{ env_var('DBT_USER') }}"
      password: "{{ env_var('DBT_ENV_SECRET_PASSWORD', '') }}"
      dbname: "{{ env_var('DBT_DBNAME') }}"
      schema: tiny
      threads: 2
"""


@pytest.fixture
def project(
    tmp_path: Path,
    environment: str,  # noqa: ARG001  # the database it builds in
    prefect_api: None,  # noqa: ARG001  # the server that it reports to
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Folder of an empty dbt project that the settings point at."""
    folder = tmp_path / "another project"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(PROFILES)
    monkeypatch.setenv("DBT_PROJECT_PATH", str(folder))
    monkeypatch.setenv("DBT_PROFILES_DIR", str(folder))
    settings.cache_clear()
    return folder


@pytest.fixture
def model(project: Path):
    """Write a model (or another file of the project's models folder)."""

    def write(name: str, content: str) -> None:
        (project / "models" / name).write_text(content)

    return write


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without their delays."""
    for task in (run_models, run_tests):
        monkeypatch.setattr(task, "retry_delay_seconds", [0.0, 0.0])
        monkeypatch.setattr(task, "retry_jitter_factor", None)


@pytest.fixture
def scripted_dbt(
    project: Path,  # noqa: ARG001  # a project is there, but the program does not read it
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> ScriptedDbt:
    """A program in the place of dbt, which reports what the test has written."""
    folder = tmp_path / "scripted dbt"
    folder.mkdir()
    scripted = ScriptedDbt(folder)
    monkeypatch.setattr(_process, "PROGRAM", scripted.program)
    return scripted
