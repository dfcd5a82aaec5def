"""The process that the stack's Python processes are forked from: what they share, and that none depends on it."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from analytics_worker.preload.client import ForkedProcess, ProcessHandle
from analytics_worker.preload.own_code import PACKAGES
from analytics_worker.settings import project_root
from analytics_worker.stack.programs import BaseProcess, Program
from tests.support.stack import DEADLINE_SECONDS
from tests.support.wait_until import wait_until

FORKED = ("server", "worker", "exporter")
MODULE = "json.tool"


def with_base(scenario: Callable[[BaseProcess], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        base = BaseProcess(project_root())
        try:
            return await scenario(base)
        finally:
            await base.stop()

    return asyncio.run(run())


def program(*command: str) -> Program:
    return Program(command, dict(os.environ), project_root(), with_input=True)


async def answer(process: ProcessHandle, text: str) -> str:
    assert process.stdin
    assert process.stdout
    process.stdin.write(text.encode())
    process.stdin.close()
    output = await process.stdout.read()
    await process.wait()
    return output.decode()


def test_a_module_runs_with_its_own_streams_arguments_and_exit_code():
    async def scenario(base: BaseProcess) -> None:
        process = await base.start(program(MODULE, "--compact"))
        assert isinstance(process, ForkedProcess)
        assert await answer(process, '{"a": [1, 2]}') == '{"a":[1,2]}\n'
        assert await process.wait() == 0
        failing = await base.start(program(MODULE, "--compact"))
        assert await answer(failing, "no json") == ""
        assert await failing.wait() == 1

    with_base(scenario)


def test_it_shows_its_own_command_line_and_is_a_child_of_the_requester():
    async def scenario(base: BaseProcess) -> None:
        process = await base.start(program(MODULE))  # waits for its input
        assert psutil.Process(process.pid).ppid() == os.getpid()
        shown = psutil.Process(process.pid).cmdline  # one text: a folder with spaces is in parts
        wait_until(lambda: shown()[-2:] == ["-m", MODULE])
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
        assert process.stdout
        await process.stdout.read()

    with_base(scenario)


def test_processes_stay_when_it_is_killed_and_the_next_one_comes_from_a_new_one():
    async def scenario(base: BaseProcess) -> None:
        first = await base.start(program(MODULE))
        old = base.pid
        assert old
        os.kill(old, signal.SIGKILL)
        assert await answer(first, "1") == "1\n"
        second = await base.start(program(MODULE))
        assert await answer(second, "2") == "2\n"
        third = await base.start(program(MODULE))
        assert await answer(third, "3") == "3\n"
        assert base.pid not in {old, None}

    with_base(scenario)


def test_a_process_starts_without_it_where_it_cannot_be_had(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "no level")  # Prefect refuses to be imported

    async def scenario(base: BaseProcess) -> None:
        process = await base.start(program(MODULE))
        assert not isinstance(process, ForkedProcess)
        assert await answer(process, "1") == "1\n"

    with_base(scenario)


PROBE = """
import sys
sys.stdin.read()
known = "flows.alerts" in sys.modules
import analytics_worker.text
print(known, getattr(analytics_worker.text, "EDITED", False))
"""


@pytest.fixture
def copied_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The packages in a folder of their own, which the processes import them from."""
    for name in PACKAGES:
        shutil.copytree(project_root() / name, tmp_path / name)
    (tmp_path / "analytics_worker/probe.py").write_text(PROBE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def probed_twice(project: Path, between: Callable[[], object]) -> list[str]:
    """Whether a process has the flows from the start, and an edit: before and after `between`."""

    async def scenario() -> list[str]:
        base = BaseProcess(project)
        probe = Program(("analytics_worker.probe",), dict(os.environ), project, with_input=True)
        try:
            await answer(await base.start(probe), "")  # it imports the code after the first request
            before = await answer(await base.start(probe), "")
            between()
            return [before.strip(), (await answer(await base.start(probe), "")).strip()]
        finally:
            await base.stop()

    return asyncio.run(scenario())


def test_processes_have_its_import_of_our_code_until_a_file_is_edited(copied_project: Path):
    def edit() -> None:
        with (copied_project / "analytics_worker/text.py").open("a") as file:
            file.write("EDITED = True\n")

    assert probed_twice(copied_project, edit) == ["True False", "False True"]


def test_a_flow_that_cannot_be_imported_does_not_hinder_others(copied_project: Path):
    (copied_project / "flows/alerts/__init__.py").write_text("raise SystemExit(1)")
    assert probed_twice(copied_project, lambda: None) == ["False False"] * 2


def base_of(stack: Any) -> psutil.Process:
    """The base process of a running stack."""
    found = [p for p in stack.processes() if "analytics_worker.preload.process" in p.cmdline()]
    assert len(found) == 1
    return found[0]


def test_the_processes_of_a_stack_share_what_it_has_imported(running_stack):
    wait_until(lambda: all(map(running_stack.pid, FORKED)), DEADLINE_SECONDS)
    base_of(running_stack)
    for name in FORKED:
        memory = psutil.Process(running_stack.pid(name)).memory_full_info()
        assert memory.rss - memory.uss > 30e6, name


def test_the_stack_outlives_it(running_stack):
    wait_until(lambda: all(map(running_stack.pid, FORKED)), DEADLINE_SECONDS)
    before = {name: running_stack.pid(name) for name in FORKED}
    base_of(running_stack).kill()
    exporter = before.pop("exporter")
    os.kill(exporter, signal.SIGKILL)
    wait_until(lambda: running_stack.pid("exporter") not in {None, exporter}, DEADLINE_SECONDS)
    assert {name: running_stack.pid(name) for name in before} == before


def test_no_warning_of_python_is_shown_at_the_start(running_stack):
    wait_until(lambda: all(map(running_stack.pid, FORKED)), DEADLINE_SECONDS)
    assert "Warning" not in running_stack.output


def test_its_command_lines_say_what_they_are(running_stack):
    wait_until(lambda: all(map(running_stack.pid, FORKED)), DEADLINE_SECONDS)
    shown = {n: psutil.Process(running_stack.pid(n)).cmdline() for n in FORKED}
    assert "analytics_worker.server" in shown["server"]
    assert "analytics_worker.exporter" in shown["exporter"]
    assert "worker" in shown["worker"]


def test_the_validators_that_several_processes_need_are_built_once():
    code = (
        "import importlib, prefect.main; from analytics_worker.preload import libraries, process;"
        "names = [name.split(':') for name in libraries.MODELS];"
        "models = [getattr(importlib.import_module(module), name) for module, name in names];"
        "count = lambda: sum(model.__pydantic_complete__ for model in models);"
        "before = count(); process.build_models(); print(before < count() == len(models))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "True"


def test_the_supervisor_imports_no_large_library():
    code = (
        "import sys; import analytics_worker.cli, analytics_worker.cli.up, analytics_worker.stack.up;"
        "print([m for m in ('prefect', 'redis', 'sqlalchemy', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
