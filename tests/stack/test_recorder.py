"""What runs is written down, if not now then as soon as it can be; the stack goes on meanwhile."""

import asyncio
from pathlib import Path

import pytest

from analytics_worker.stack import state_dir
from analytics_worker.stack.state_dir import RecordWriter, StackRecord, StateFolder
from tests.support.wait_until import wait_until


def test_a_record_that_can_not_be_written_is_written_once_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(state_dir, "RETRY_SECONDS", 0.01)
    folder, said = StateFolder(tmp_path / "away"), list[str]()
    record = StackRecord(pid=1, created=1.0, marker="m", api_url="u", since="s", components=[])

    async def live() -> None:
        recorder = RecordWriter(folder, lambda: record, said.append)
        recorder()
        recorder()
        assert folder.read() is None
        folder.path.mkdir()
        await asyncio.to_thread(wait_until, lambda: folder.read() == record)

    asyncio.run(live())
    (line,) = said
    assert "can't be written (No such file or directory): free some space" in line
