"""The process that calls functions for the supervisor: results, errors, progress, and its end."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from analytics_worker.cli.errors import error_message
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from analytics_worker.stack.errors import StackError
from analytics_worker.stack.task_process import TaskProcess
from tests.support.processes import wait_for_exit

HERE = __name__


def double(number: int) -> list[int]:
    print("not a reply")  # noqa: T201  # what a function prints must not pass for one
    return [number, number]


async def count(up_to: int, progress: Callable[[str], None]) -> int:
    for number in range(up_to):
        progress(str(number))
    return up_to


def refuse(kind: str) -> None:
    errors = {"stack": StackError, "permanent": PermanentError, "other": ValueError}
    raise errors[kind]("name the fix")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def pid() -> int:
    return os.getpid()


def has_database() -> bool:
    return settings().database_url is not None


def with_process(scenario: Callable[[TaskProcess], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        process = TaskProcess("json", describe=error_message)
        try:
            return await scenario(process)
        finally:
            await process.stop()

    return asyncio.run(run())


def test_functions_are_called_one_after_another_in_one_process():
    async def scenario(process: TaskProcess) -> None:
        shown: list[str] = []
        assert await process.call(f"{HERE}:double", number=2) == [2, 2]
        assert await process.call(f"{HERE}:count", shown.append, up_to=2) == 2
        assert shown == ["0", "1"]
        first, second = await asyncio.gather(*(process.call(f"{HERE}:pid") for _ in range(2)))
        assert first == second != os.getpid()

    with_process(scenario)


def test_it_knows_the_database_that_is_started_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The supervisor writes its variables to a file while this process imports, or after its first call."""
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)

    async def scenario(process: TaskProcess) -> None:
        assert not await process.call(f"{HERE}:has_database")
        (tmp_path / "stack.env").write_text("DATABASE_URL=postgresql://me@127.0.0.1/shop\n")
        assert await process.call(f"{HERE}:has_database")

    with_process(scenario)


@pytest.mark.parametrize(
    ("kind", "error"),
    [("stack", StackError), ("permanent", PermanentError), ("other", StackError)],
)
def test_an_error_is_raised_here_and_ends_nothing(kind, error):
    async def scenario(process: TaskProcess) -> None:
        with pytest.raises(error, match="name the fix"):
            await process.call(f"{HERE}:refuse", kind=kind)
        assert await process.call(f"{HERE}:double", number=3) == [3, 3]

    with_process(scenario)


@contextmanager
def raises_end() -> Generator[None]:
    with pytest.raises(StackError, match="ended with -9 before it was done"):
        yield


def test_the_end_of_the_process_is_an_error():
    async def scenario(process: TaskProcess) -> None:
        with raises_end():
            await process.call(f"{HERE}:die")
        with raises_end():
            await process.call(f"{HERE}:double", number=1)

    with_process(scenario)


def test_it_ends_when_it_is_stopped():
    wait_for_exit(with_process(lambda process: process.call(f"{HERE}:pid")))
