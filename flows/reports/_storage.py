"""Report files where people find them: whole or not there at all.

Writes below REPORT_OUTPUT_DIR, or where a report-storage block says. A file is written under a
temporary name, synced, and renamed; so writing again replaces it, and a reader never sees half of it.
Names are checked: nothing outside that folder is written, read or removed, symbolic links included.
"""

import os
import re
import secrets
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import fsspec

from blocks.report_storage import ReportStorage
from toolkit.delivery import one_line
from toolkit.errors import PermanentError
from toolkit.settings import settings

PART = ".part"
LEFT_AFTER_SECONDS = 86_400
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9]+){1,2}")
_LONGEST_NAME = 200
_LOCAL = ("file", "local")


class StorageError(PermanentError):
    """A report file can't be where it should be; says what to change."""


class Storage(Protocol):
    """Where the files of reports are."""

    name: str
    """Of its block; empty for REPORT_OUTPUT_DIR."""

    def temporary(self, filename: str) -> Path:
        """Where to write a file before it is published; nothing else writes there."""
        ...

    def publish(self, temporary: Path, filename: str) -> None:
        """Give a file that is complete and synced its final name."""
        ...

    @contextmanager
    def local(self, filename: str) -> Generator[Path]:
        """A published file as a path on this host."""
        ...

    def remove(self, filename: str) -> None:
        """Delete a published file; no effect if it is gone."""
        ...

    def link(self, filename: str) -> str:
        """Where people find it."""
        ...


def storage(block_name: str | None = None) -> Storage:
    """The storage that the settings name, or that a stored report was written to.

    Raises:
        StorageError: it can't be used.
    """
    name = settings().report_storage_block if block_name is None else block_name
    folder = settings().report_output_dir
    if not name:
        return Folder(folder, "", settings().report_link_base)
    try:
        block: Any = ReportStorage.load(name, _sync=True)  # pyright: ignore[reportCallIssue]
    except ValueError:  # Prefect's word for: there is none
        raise StorageError(f"There is no Report Storage block named {name!r}.") from None
    link = block.link or settings().report_link_base
    try:
        filesystem, base = fsspec.core.url_to_fs(block.base, **block.options.get_secret_value())
    except (ImportError, ValueError) as error:
        missing = isinstance(error, ImportError) and block.base.startswith("s3")
        cure = ": pip install 'analytics-worker[s3]'" if missing else ""
        raise StorageError(f"Report Storage block {name!r}: {error}{cure}") from None
    if set(_LOCAL) & {filesystem.protocol, *filesystem.protocol}:
        return Folder(Path(base), name, link)
    return Remote(filesystem, base, name, link, Folder(folder, "", None))


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
        self._root = root
        self._link_base = link_base

    def temporary(self, filename: str) -> Path:
        """A new name beside the final one; what dead writers of the same file left is removed."""
        checked(filename)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            for left in self._root.glob(f".{filename}.*{PART}"):
                left.unlink(missing_ok=True)  # whoever wrote it is gone: this run is ours now
            path = self._root / f".{filename}.{secrets.token_hex(4)}{PART}"
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
        return _link(self._link_base, filename) or str((self._root / filename).resolve())

    def _inside(self, filename: str) -> Path:
        """The path of a file that really is in this folder."""
        path = self._root / checked(filename)
        if path.is_symlink() or path.resolve().parent != self._root.resolve():
            raise StorageError(f"{path} leads out of the report folder")
        if not path.exists():
            raise FileNotFoundError(path)
        return path


class Remote:
    """A bucket or server that fsspec speaks to; files are written to this host first."""

    def __init__(
        self, filesystem: Any, base: str, name: str, link_base: str | None, spool: Folder
    ) -> None:
        """Nothing is opened yet."""
        self.name = name
        self._files = filesystem
        self._base = base.rstrip("/")
        self._link_base = link_base
        self._spool = spool

    def temporary(self, filename: str) -> Path:
        """On this host."""
        return self._spool.temporary(filename)

    def publish(self, temporary: Path, filename: str) -> None:
        """Upload under a temporary name, then move; the copy on this host goes."""
        part = f"{self._base}/.{checked(filename)}{PART}"
        with self._named():
            with suppress(FileExistsError):  # a bucket that is not there is a mistake in the block
                self._files.mkdir(self._base, create_parents=False)
            self._files.put_file(str(temporary), part)
            self._files.mv(part, f"{self._base}/{filename}")
        temporary.unlink()

    @contextmanager
    def local(self, filename: str) -> Generator[Path]:
        """A copy, for as long as it is needed."""
        path = self._spool.temporary(filename)
        try:
            with self._named():
                self._files.get_file(f"{self._base}/{checked(filename)}", str(path))
            yield path
        finally:
            path.unlink(missing_ok=True)

    def remove(self, filename: str) -> None:
        """Delete it."""
        with suppress(FileNotFoundError), self._named():
            self._files.rm_file(f"{self._base}/{checked(filename)}")

    def link(self, filename: str) -> str:
        """The address below the link base, or the one that fsspec knows it by."""
        own = self._files.unstrip_protocol(f"{self._base}/{filename}")
        return _link(self._link_base, filename) or str(own)

    @contextmanager
    def _named(self) -> Generator[None]:
        """Whatever goes wrong there is an OSError that names the block."""
        try:
            yield
        except PermanentError:
            raise
        except Exception as error:  # noqa: BLE001  # each library has errors of its own
            kind = FileNotFoundError if isinstance(error, FileNotFoundError) else OSError
            what = one_line(str(error)) or type(error).__name__
            raise kind(f"Report Storage block {self.name!r}: {what}") from None


def _link(base: str | None, filename: str) -> str | None:
    return f"{base.rstrip('/')}/{quote(filename)}" if base else None


def _sync(path: Path) -> None:
    """Until this returns, a power cut may undo what was done to the file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
