"""Find expired files: persisted results of runs and rotated logs.

Reads the folder of Prefect's results and the log folder. Safe to repeat; a file that another process deletes
meanwhile is skipped.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from prefect.settings import get_current_settings

from analytics_worker.settings import settings

MAX_PARSED_BYTES = 1_000_000
"""Size up to which a result is parsed for its expiration; a larger one expires by its age only."""


def expired_results(before: datetime) -> Iterator[Path]:
    """Yield results that were written before then, or whose own expiration has passed."""
    folder = get_current_settings().results.local_storage_path
    for path in _files(Path(folder), "*"):
        if _is_older(path, before) or _has_expired(path):
            yield path


def expired_logs(before: datetime) -> Iterator[Path]:
    """Return rotated log files that were not written to since then."""
    return (path for path in _files(settings().log_dir, "*.log.*") if _is_older(path, before))


def size_of(path: Path) -> int:
    """Return the size of a file in bytes; 0 if it does not exist."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        yield from (path for path in folder.glob(pattern) if path.is_file())


def _is_older(path: Path, before: datetime) -> bool:
    try:
        return path.stat().st_mtime < before.timestamp()
    except FileNotFoundError:
        return False


def _has_expired(path: Path) -> bool:
    if size_of(path) > MAX_PARSED_BYTES:
        return False
    try:
        content = json.loads(path.read_bytes())
        expiration = content["metadata"]["expiration"]
        return expiration is not None and datetime.fromisoformat(expiration) < datetime.now(UTC)
    except (OSError, ValueError, TypeError, KeyError):
        return False  # not a result in a known format
