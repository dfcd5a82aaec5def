"""The fork server has the flows' code until a file is edited or a run's settings differ."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from analytics_worker.cli.worker import OWN
from analytics_worker.preload.code_reload import Project
from analytics_worker.settings import project_root
from analytics_worker.worker.fork_server.client import ForkServerClient
from tests.support.processes import wait_for_exit


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name in ("mine", "mine/__pycache__", "not_watched"):
        (tmp_path / name).mkdir()
    (tmp_path / "mine/code.py").write_text("VALUE = 1")
    (tmp_path / "mine/query.sql").write_text("select 1")
    return Project(tmp_path, ("mine",), ())


def add(folder: Path) -> None:
    (folder / "mine/more.py").touch()


def edit(folder: Path) -> None:
    (folder / "mine/query.sql").write_text("select 22")


def touch(folder: Path) -> None:
    os.utime(folder / "mine/code.py", ns=(0, 1))


def remove(folder: Path) -> None:
    (folder / "mine/code.py").unlink()


def compile_(folder: Path) -> None:
    (folder / "mine/__pycache__/code.pyc").touch()


def edit_elsewhere(folder: Path) -> None:
    (folder / "not_watched/code.py").touch()


@pytest.mark.parametrize(
    ("change", "is_one"),
    [
        (add, True),
        (edit, True),
        (touch, True),
        (remove, True),
        (compile_, False),
        (edit_elsewhere, False),
    ],
)
def test_what_counts_as_an_edit(project: Project, change: Callable[[Path], None], is_one: bool):
    before = project.state()
    change(project.folder)
    assert (project.state() != before) is is_one


@pytest.mark.parametrize(
    ("folder", "variables", "forgotten"),
    [
        (".", {"A": "1", "PREFECT__FLOW_RUN_ID": "x"}, []),
        (".", {"A": "2"}, ["mine"]),
        (".", {"A": "1", "B": ""}, ["mine"]),
        (".", {}, ["mine"]),
        ("mine", {"A": "1"}, ["mine"]),
    ],
)
def test_a_run_that_differs_imports_its_code_for_itself(
    project: Project, folder: str, variables: dict[str, str], forgotten: list[str]
):
    assert project.modules_to_reload(project.folder / folder, variables, {"A": "1"}) == forgotten


def test_after_an_edit_children_come_from_a_new_template(project: Project):
    async def use_it() -> list[int | None]:
        client = ForkServerClient([], lambda: os.environ, 10, state_of_code=project.state)
        pids: list[int | None] = []
        for change in (compile_, edit):
            await client.ensure()
            pids.append(client.pid)
            change(project.folder)
        await client.ensure()
        pids.append(client.pid)
        await asyncio.to_thread(wait_for_exit, pids[0] or 0)
        await client.close()
        return pids

    first, second, third = asyncio.run(use_it())
    assert first == second
    assert third != first


def test_importing_the_flows_decides_nothing_that_settings_decide():
    code = (
        "import flows.analytics, flows.dbt, flows.alerts, flows.reports, flows.monitoring;"
        "from analytics_worker.settings import settings; assert settings.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=project_root())


def test_what_is_watched_exists():
    assert all((project_root() / package / "__init__.py").exists() for package in OWN)
