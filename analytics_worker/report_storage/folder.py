"""Report files in a folder: whole or not there at all.

A file is written under a temporary name, synced, and renamed; so writing again replaces it, and a
reader never sees half of it. Names are checked: nothing outside that folder is written, read or removed,
symbolic links included.
"""

import os
import re
import secrets
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from analytics_worker.report_storage.rules import StorageError

PART = ".part"
LEFT_AFTER_SECONDS = 86_400
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9]+){1,2}")
_LONGEST_NAME = 200


def checked(filename: str) -> str:
    """The name, if it is one that this project gives.

    Raises:
        StorageError: it could lead elsewhere.
    """
    if not _NAME.fullmatch(filename) or len(filename) > _LONGEST_NAME:
        raise StorageError(f"{filename[:80]!r} is no name of a report file")
    return filename


class Folder:
    """A folder of this host, or one that several hosts share."""

    def __init__(self, root: Path, name: str, link_base: str | None) -> None:
        """Nothing is opened; the folder is made when it is needed."""
        self.name = name
        self.is_remote = False
        self._root = root
        self._link_base = link_base

    def temporary(self, filename: str) -> Path:
        """A new name beside the final one; what dead writers of the same file left is removed."""
        path = self._created(f".{checked(filename)}")
        for left in self._root.glob(f".{filename}.*{PART}"):
            if left != path:
                left.unlink(missing_ok=True)  # whoever wrote it is gone: this run is ours now
        return path

    def temporary_copy(self, filename: str) -> Path:
        """A new name for a copy to read; senders that read the same file have copies of their own."""
        return self._created(f".copy-{checked(filename)}")

    def _created(self, prefix: str) -> Path:
        path = self._root / f"{prefix}.{secrets.token_hex(4)}{PART}"
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o640, exist_ok=False)
        except OSError as error:
            raise StorageError(
                f"{self._root} can't be written ({error.strerror}): set REPORT_OUTPUT_DIR to a"
                " folder that the worker may write to, or make room"
            ) from None
        return path

    def publish(self, temporary: Path, filename: str) -> None:
        """Rename it, and have the disk know."""
        _sync(temporary)
        temporary.replace(self._root / checked(filename))
        _sync(self._root)

    @contextmanager
    def local(self, filename: str) -> Generator[Path]:
        """The file itself."""
        yield self._inside(filename)

    def remove(self, filename: str) -> None:
        """Delete it."""
        with suppress(FileNotFoundError):
            self._inside(filename).unlink()

    def clear(self, *, dry_run: bool) -> int:
        """Remove what killed writers left a day ago or earlier; how many files and folders."""
        before = time.time() - LEFT_AFTER_SECONDS
        left = [p for p in self._root.glob(f".*{PART}*") if p.lstat().st_mtime < before]
        for path in [] if dry_run else left:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        return len(left)

    def link(self, filename: str) -> str:
        """The address below the link base, or the path."""
        return public_link(self._link_base, filename) or str((self._root / filename).resolve())

    def _inside(self, filename: str) -> Path:
        """The path of a file that really is in this folder."""
        path = self._root / checked(filename)
        if path.is_symlink() or path.resolve().parent != self._root.resolve():
            raise StorageError(f"{path} leads out of the report folder")
        if not path.exists():
            raise FileNotFoundError(path)
        return path


def public_link(base: str | None, filename: str) -> str | None:
    return f"{base.rstrip('/')}/{quote(filename)}" if base else None


def _sync(path: Path) -> None:
    """Until this returns, a power cut may undo what was done to the file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
