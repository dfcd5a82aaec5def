"""Files that are past their time: persisted results of runs, rotated logs.

Reads and deletes below the folder of Prefect's results and the log folder. Safe to repeat; a file that
vanishes meanwhile was somebody else's to delete.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from prefect.settings import get_current_settings

from analytics_worker.settings import settings

LARGEST_RESULT = 1_000_000
"""Bytes of a result up to which its own expiration is looked for; the age of a larger one counts."""


def expired_results(before: datetime) -> Iterator[Path]:
    """Results that were written before then, or whose own time is over."""
    folder = get_current_settings().results.local_storage_path
    for path in _files(Path(folder), "*"):
        if _older(path, before) or _over(path):
            yield path


def expired_logs(before: datetime) -> Iterator[Path]:
    """Rotated log files that nobody has written to since then."""
    return (path for path in _files(settings().log_dir, "*.log.*") if _older(path, before))


def size_of(path: Path) -> int:
    """Bytes of a file; none if it is gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        yield from (path for path in folder.glob(pattern) if path.is_file())


def _older(path: Path, before: datetime) -> bool:
    try:
        return path.stat().st_mtime < before.timestamp()
    except FileNotFoundError:
        return False


def _over(path: Path) -> bool:
    if size_of(path) > LARGEST_RESULT:
        return False
    try:
        content = json.loads(path.read_bytes())
        expiration = content["metadata"]["expiration"]
        return expiration is not None and datetime.fromisoformat(expiration) < datetime.now(UTC)
    except (OSError, ValueError, TypeError, KeyError):
        return False  # no result that we know how to read
