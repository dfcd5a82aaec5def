"""Back up and restore files: those of reports, the kept states of dbt, and the login of the server.

Not in a backup, because they belong to one host or one start of it: the identity of the worker and the records of
its processes (``worker``), the state of circuit breakers, counters of the exporter, logs, locks and ``stack.env``.
"""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from analytics_worker.backup.errors import BackupError
from analytics_worker.backup.folder import OWNER_ONLY, BackupFolder
from analytics_worker.backup.manifest import Manifest
from analytics_worker.report_storage.folder import checked_filename
from analytics_worker.report_storage.rules import StorageError
from analytics_worker.settings import settings
from analytics_worker.stack_address import login_file
from analytics_worker.text import one_line

LOGIN = "login/login"
NOT_HERE = "{count} report files are not in {folder}: another host has them, or they were deleted"
CHUNK_BYTES = 1 << 20
PRIVATE, REPORT = 0o600, 0o640
_STATE = re.compile(r"\w{1,200}/\d{8}T\d{12}Z/(manifest|run_results|sources)\.json")


class UnreadableError(Exception):
    """A file can't be read; the message has the reason."""


def back_up_files(folder: BackupFolder, reports: Sequence[str]) -> tuple[list[str], list[str]]:
    """Copy the files; return notes, and what could not be read."""
    missing: list[str] = []
    elsewhere = 0
    for name in filter(_is_report, reports):
        found = _copy(settings().report_output_dir / name, folder, f"reports/{name}", missing)
        elsewhere += not found
    root = settings().dbt_state_dir
    for name in _states(root):
        _copy(root / name, folder, f"dbt-states/{name}", missing)
    _copy(login_file(), folder, LOGIN, missing)
    return _notes(elsewhere), missing


def _notes(elsewhere: int) -> list[str]:
    if not elsewhere:
        return []
    return [NOT_HERE.format(count=elsewhere, folder=settings().report_output_dir)]


def _is_report(name: str) -> bool:
    try:
        checked_filename(name)
    except StorageError:
        return False
    return True


def _states(root: Path) -> list[str]:
    found = (str(path.relative_to(root)) for path in root.glob("*/*Z/*.json"))
    return sorted(name for name in found if _STATE.fullmatch(name))


def _copy(path: Path, folder: BackupFolder, name: str, missing: list[str]) -> bool:
    """Copy a file; return whether there is one. One that can't be read does not stop the others."""
    chunks = _chunks(path)
    try:
        first = next(chunks, b"")  # before anything is created
        with folder.file(name) as target:
            target.write(first)
            for chunk in chunks:
                target.write(chunk)
    except FileNotFoundError:
        return False
    except UnreadableError as error:
        missing.append(f"{path}: {error}")
    return True


def _chunks(path: Path) -> Iterator[bytes]:
    """Yield the content of a regular file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableError("not a regular file")
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableError(error.strerror or type(error).__name__) from None


def restored_files(manifest: Manifest) -> Iterator[tuple[str, Path, int]]:
    """Yield the name of each file of a backup, where it belongs on this host, and its mode.

    Raises:
        BackupError: a name is not one that the worker writes.
    """
    for name in manifest.names("reports"):
        if not _is_report(name):
            raise BackupError(
                f"{one_line(name)!r} is not a name of a report file; nothing was changed"
            )
        yield f"reports/{name}", settings().report_output_dir / name, REPORT
    for name in manifest.names("dbt-states"):
        if not _STATE.fullmatch(name):
            raise BackupError(f"{one_line(name)!r} is not a kept state of dbt; nothing was changed")
        yield f"dbt-states/{name}", settings().dbt_state_dir / name, PRIVATE
    if LOGIN in manifest.files:
        yield LOGIN, login_file(), PRIVATE


def check_files(folder: Path, manifest: Manifest, *, replace: bool) -> None:
    """Refuse to replace files that have another content.

    Raises:
        BackupError: one has.
    """
    for name, target, _ in restored_files(manifest):
        if not replace and os.path.lexists(target) and not _is_same(folder / name, target):
            raise BackupError(
                f"{target} exists already; nothing was changed. Use --replace to replace it"
            )


def restore_files(folder: Path, manifest: Manifest) -> int:
    """Write the files, each as a whole or not at all; return how many."""
    count = 0
    for name, target, mode in restored_files(manifest):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.restoring.part")
        unfinished.unlink(missing_ok=True)
        with (folder / name).open("rb") as source, _created(unfinished, mode) as opened:
            while chunk := source.read(CHUNK_BYTES):
                opened.write(chunk)
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.replace(target)
        count += 1
    return count


def _created(path: Path, mode: int):  # noqa: ANN202
    return os.fdopen(os.open(path, OWNER_ONLY, mode), "wb")


def _is_same(first: Path, second: Path) -> bool:
    if second.is_symlink() or not second.is_file():
        return False
    return (
        first.stat().st_size == second.stat().st_size and first.read_bytes() == second.read_bytes()
    )
