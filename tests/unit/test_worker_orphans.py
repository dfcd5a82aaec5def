"""Ending the process of a run that lost its worker."""

import asyncio
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from analytics_worker.process_identity import ProcessIdentity
from analytics_worker.worker import orphaned_processes


def test_a_process_that_has_just_ended_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(orphaned_processes, "TERMINATION_SECONDS", 3600.0)
    record = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    ) as process:
        identity = ProcessIdentity.of(process.pid)
        assert identity
        identity.write(record)
        process.kill()

    async def cancel() -> None:
        with anyio.fail_after(30):
            await orphaned_processes.cancel(identity, record)

    asyncio.run(cancel())
