"""Play nights in a process whose clock is moved, and compare what arrived with the story."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from analytics_worker.settings import project_root
from tests.acceptance.fourteen_nights.clock import instant
from tests.acceptance.fourteen_nights.received import Arrived
from tests.acceptance.fourteen_nights.story import Night
from tests.support.shifted_clock import ShiftedClock

START = instant("2026-09-19", "12:00")
VARIABLES = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
}
"""The player creates the runs itself: scheduled ones would wait for a worker."""
MAX_OUTPUT = 20_000

Nights = Mapping[str, Sequence[Arrived]]
Key = tuple[str, str, str]


def play(folder: Path, count: int) -> Nights:
    """Play the first nights; return the messages by the day on which they arrived."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)  # PostgreSQL may run under another account
        clock = ShiftedClock(Path(place))
        clock.set(round((START - datetime.now(UTC)).total_seconds()))
        _run_player(folder, count, clock.variables)
    nights = json.loads((folder / "arrived.json").read_text())
    return {day: [Arrived(*each) for each in arrived] for day, arrived in nights.items()}


def _run_player(folder: Path, count: int, variables: Mapping[str, str]) -> None:
    """Run the player to its end; if it fails or is interrupted, end its servers, too."""
    output = folder / "output"
    with output.open("w") as stream:
        player = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.player", str(folder), str(count)],
            cwd=project_root(),
            env={**os.environ, **VARIABLES, **variables},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = player.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(player.pid, signal.SIGKILL)
            player.wait()
    assert status == 0, output.read_text()[-MAX_OUTPUT:]


def shown(night: Night, arrived: Sequence[Arrived]) -> list[Key]:
    """Return time, recipient and subject of each message, in the order in which `expected` has them."""
    return sorted(_key(night, each) for each in arrived)


def expected(night: Night) -> list[Key]:
    """Return time, recipient and subject of each message of a night."""
    return sorted(each[:3] for each in night.notices)


def missing_words(night: Night, arrived: Sequence[Arrived]) -> list[tuple[str, str, str]]:
    """Return recipient, subject and word of each word that the text of a message lacks."""
    texts = {_key(night, each): each.text for each in arrived}
    return [
        (notice.to, notice.subject, word)
        for notice in night.notices
        for word in notice.words
        if word not in texts.get(notice[:3], word)
    ]


def _key(night: Night, arrived: Arrived) -> Key:
    """Return time, recipient and subject; of a subject that the story shortens, its beginning."""
    for each in night.notices:
        start = each.subject.removesuffix("…")
        is_shortened = start != each.subject and arrived.subject.startswith(start)
        if is_shortened and each[:2] == arrived[:2]:
            return each[:3]
    return arrived[:3]
