"""Store report files, complete or not at all.

Writes below REPORT_OUTPUT_DIR, or to the storage of a Report Storage block, as far as
`analytics_worker.report_storage.rules` allows it. A file gets its name when it is complete. So writing again
replaces it, and a reader never sees a partial file.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Protocol

import fsspec

from analytics_worker.errors import PermanentError
from analytics_worker.report_storage.folder import (
    PART_SUFFIX,
    FolderStorage,
    checked_filename,
    public_link,
)
from analytics_worker.report_storage.rules import (
    RemoteLocation,
    StorageError,
    checked_link,
    local_folder,
    remote_location,
)
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from analytics_worker.transport.address_filter import AllowList
from analytics_worker.transport.connection_guard import restrict_connections
from blocks.report_storage import ReportStorage


class Storage(Protocol):
    """The storage of report files."""

    name: str
    """Name of its block; empty for REPORT_OUTPUT_DIR."""

    is_remote: bool
    """Whether all hosts see the same files, so that a missing file does not exist anywhere."""

    folder: Path
    """The folder of this host that files are written to."""

    def temporary(self, filename: str) -> Path:
        """Create an empty file of this process, to write to before it is published."""
        ...

    def publish(self, temporary: Path, filename: str) -> None:
        """Rename a complete and synced file to its final name."""
        ...

    @contextmanager
    def local(self, filename: str) -> Generator[Path]:
        """Open a published file as a path on this host."""
        ...

    def remove(self, filename: str) -> None:
        """Delete a published file; no effect if it does not exist."""
        ...

    def link(self, filename: str) -> str:
        """Return the address of a file for readers."""
        ...


def open_storage(block_name: str | None = None) -> Storage:
    """Open the storage of a block, by default that of the settings.

    Raises:
        StorageError: it can't be used.
    """
    name = settings().report_storage_block if block_name is None else block_name
    if not name:
        return FolderStorage(settings().report_output_dir, "", settings().report_link_base)
    try:
        block: Any = ReportStorage.load(name, _sync=True)  # pyright: ignore[reportCallIssue]
    except ValueError:  # there is no such block
        raise StorageError(f"There is no Report Storage block named {name!r}.") from None
    try:
        return _block_storage(block, name)
    except PermanentError as error:
        raise StorageError(f"Report Storage block {name!r}: {error}") from None


def _block_storage(block: ReportStorage, name: str) -> Storage:
    link = checked_link(block.link) or settings().report_link_base
    if (folder := local_folder(block.base)) is not None:
        return FolderStorage(folder, name, link)
    location = remote_location(block)
    filesystem, base = _filesystem(location)
    spool = FolderStorage(settings().report_output_dir, "", None)
    return RemoteStorage(filesystem, base, name, link, spool, location.allowed)


def _filesystem(location: RemoteLocation) -> tuple[Any, str]:
    try:
        with _guard_connections(location.allowed):
            return fsspec.core.url_to_fs(location.base, **location.options)
    except (ImportError, ValueError) as error:
        missing = isinstance(error, ImportError) and location.base.startswith("s3")
        remedy = ": pip install 'analytics-worker[s3]'" if missing else ""
        raise StorageError(f"{error}{remedy}") from None


def _guard_connections(allowed: AllowList | None) -> AbstractContextManager[object]:
    return nullcontext() if allowed is None else restrict_connections(allowed)


class RemoteStorage:
    """A bucket or server that fsspec connects to; files are written on this host first."""

    def __init__(  # each comes from another setting
        self,
        filesystem: Any,
        base: str,
        name: str,
        link_base: str | None,
        spool: FolderStorage,
        allowed: AllowList | None,
    ) -> None:
        """Use a file system of fsspec, with a folder of this host for temporary files."""
        self._allowed = allowed
        self.name = name
        self.is_remote = True
        self._files = filesystem
        self._base = base.rstrip("/")
        self._link_base = link_base
        self._spool = spool
        self.folder = spool.folder

    def temporary(self, filename: str) -> Path:
        """Create an empty file on this host."""
        return self._spool.temporary(filename)

    def publish(self, temporary: Path, filename: str) -> None:
        """Upload a file under a temporary name, rename it, and delete it on this host."""
        part = f"{self._base}/.{checked_filename(filename)}{PART_SUFFIX}"
        with self._translate_errors():
            with suppress(FileExistsError):  # a bucket must exist already
                self._files.mkdir(self._base, create_parents=False)
            self._files.put_file(str(temporary), part)
            self._files.mv(part, f"{self._base}/{filename}")
        temporary.unlink()

    @contextmanager
    def local(self, filename: str) -> Generator[Path]:
        """Download a temporary copy of a file."""
        path = self._spool.temporary_copy(filename)
        try:
            with self._translate_errors():
                self._files.get_file(f"{self._base}/{checked_filename(filename)}", str(path))
            yield path
        finally:
            path.unlink(missing_ok=True)

    def remove(self, filename: str) -> None:
        """Delete a published file; no effect if it does not exist."""
        with suppress(FileNotFoundError), self._translate_errors():
            self._files.rm_file(f"{self._base}/{checked_filename(filename)}")

    def link(self, filename: str) -> str:
        """Return the address below the link base, or that of fsspec."""
        address = self._files.unstrip_protocol(f"{self._base}/{filename}")
        return public_link(self._link_base, filename) or str(address)

    @contextmanager
    def _translate_errors(self) -> Generator[None]:
        """Raise any error of the file system as an OSError that names the block."""
        try:
            with _guard_connections(self._allowed):
                yield
        except PermanentError as error:
            raise StorageError(f"Report Storage block {self.name!r}: {error}") from None
        except Exception as error:  # noqa: BLE001  # each library has errors of its own
            kind = FileNotFoundError if isinstance(error, FileNotFoundError) else OSError
            message = one_line(str(error)) or type(error).__name__
            raise kind(f"Report Storage block {self.name!r}: {message}") from None
