"""The definition files are taken into the sample warehouse; a mistake in one stops nothing."""

import asyncio
from collections.abc import Callable

import pytest

from analytics_worker.cli.definitions import alert_rules
from analytics_worker.cli.errors import error_message
from analytics_worker.errors import PermanentError
from analytics_worker.stack.seed_definitions import load_definitions
from analytics_worker.stack.task_process import TaskProcess
from analytics_worker.stack.terminal import Terminal


def refused() -> str:
    raise PermanentError("definitions/a.yml:3: unknown key")


def accepted() -> str:
    return "2 reports"


def run(capsys: pytest.CaptureFixture[str], **definitions: Callable[[], str]) -> str:
    async def load() -> None:
        process = TaskProcess(describe=error_message)
        try:
            await load_definitions(definitions, Terminal(), process.call)
        finally:
            await process.stop()

    asyncio.run(load())
    return capsys.readouterr().out


def test_a_mistake_is_shown_and_the_next_ones_are_taken(capsys: pytest.CaptureFixture[str]):
    shown = run(capsys, first=refused, second=accepted)
    assert "not loaded: definitions/a.yml:3: unknown key" in shown
    assert "2 reports" in shown


@pytest.mark.usefixtures("environment")
def test_rules_are_taken_once(capsys: pytest.CaptureFixture[str]):
    assert " new)" in run(capsys, alerts=alert_rules)
    assert "(unchanged)" in run(capsys, alerts=alert_rules)
