"""Store report files in a folder, complete or not at all.

A file is written under a temporary name, synced, and renamed. So writing again replaces it, and a reader
never sees a partial file. Names are checked_filename: nothing outside that folder is written, read or removed, also
not through symbolic links.
"""

import os
import re
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from analytics_worker.disk_problems import disk_problem
from analytics_worker.report_storage.file_names import is_file_name_part
from analytics_worker.report_storage.rules import StorageError
from analytics_worker.report_storage.writers import new_mark, writer_has_ended

PART_SUFFIX = ".part"
ABANDONED_AFTER_SECONDS = 86_400
_SUFFIX = re.compile(r"(?:\.[a-z0-9]+){1,2}")
_MAX_NAME_BYTES = 200


def checked_filename(filename: str) -> str:
    """Check that a name is one that this project generates, and return it.

    Raises:
        StorageError: it is not, and could lead elsewhere.
    """
    stem, dot, suffix = filename.partition(".")
    is_safe = is_file_name_part(stem) and stem == stem.lower() and _SUFFIX.fullmatch(dot + suffix)
    if not is_safe or len(filename.encode()) > _MAX_NAME_BYTES:
        raise StorageError(f"{filename[:80]!r} is not a valid name of a report file")
    return filename


class FolderStorage:
    """A folder of this host, or one that several hosts share."""

    def __init__(self, root: Path, name: str, link_base: str | None) -> None:
        """Store files in a folder, which is created when it is needed."""
        self.name = name
        self.is_remote = False
        self.folder = root
        self._link_base = link_base

    def temporary(self, filename: str) -> Path:
        """Create an empty file beside the final one; remove those of killed writers of the same file."""
        path = self._create(f".{checked_filename(filename)}")
        for other in self.folder.glob(f".{filename}.*{PART_SUFFIX}"):
            if other != path:
                other.unlink(missing_ok=True)  # its writer died: this process has claimed the run
        return path

    def temporary_copy(self, filename: str) -> Path:
        """Create an empty file for a copy; each sender that reads a file has its own copy."""
        return self._create(f".copy-{checked_filename(filename)}")

    def _create(self, prefix: str) -> Path:
        path = self.folder / f"{prefix}.{new_mark()}{PART_SUFFIX}"
        _tidy_once(self.folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o640, exist_ok=False)
        except OSError as error:
            raise StorageError(
                disk_problem(error, self.folder)
                or f"{self.folder} can't be written ({error.strerror}): set REPORT_OUTPUT_DIR to a"
                " folder that the worker may write to"
            ) from None
        return path

    def publish(self, temporary: Path, filename: str) -> None:
        """Rename a file and sync the rename."""
        _sync(temporary)
        temporary.replace(self.folder / checked_filename(filename))
        _sync(self.folder)

    @contextmanager
    def local(self, filename: str) -> Generator[Path]:
        """Return the path of a published file."""
        yield self._inside(filename)

    def remove(self, filename: str) -> None:
        """Delete a published file; no effect if it does not exist."""
        with suppress(FileNotFoundError):
            self._inside(filename).unlink()

    def remove_abandoned(self, *, dry_run: bool) -> int:
        """Remove temporary files and folders of killed writers; return how many.

        Those of this host at once, and those of which nothing is known after a day.
        """
        abandoned = [path for path in self.folder.glob(f".*{PART_SUFFIX}*") if _is_abandoned(path)]
        for path in [] if dry_run else abandoned:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        return len(abandoned)

    def link(self, filename: str) -> str:
        """Return the address below the link base, or the path."""
        return public_link(self._link_base, filename) or str((self.folder / filename).resolve())

    def _inside(self, filename: str) -> Path:
        """Return the path of a file, which must not lead out of this folder."""
        path = self.folder / checked_filename(filename)
        if path.is_symlink() or path.resolve().parent != self.folder.resolve():
            raise StorageError(f"{path} leads out of the report folder")
        if not path.exists():
            raise FileNotFoundError(path)
        return path


def public_link(base: str | None, filename: str) -> str | None:
    """Return the address of a file below the link base; None without a base."""
    return f"{base.rstrip('/')}/{quote(filename)}" if base else None


@lru_cache
def _tidy_once(root: Path) -> None:
    """Remove what killed runs have left, at the first file that this process writes."""
    with suppress(OSError):  # not a reason to write no report
        FolderStorage(root, "", None).remove_abandoned(dry_run=False)


def _is_abandoned(path: Path) -> bool:
    try:
        is_old = path.lstat().st_mtime < time.time() - ABANDONED_AFTER_SECONDS
    except FileNotFoundError:
        return False  # published meanwhile
    return is_old or writer_has_ended(path)


def _sync(path: Path) -> None:
    """Sync a file or folder: only then does it survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
