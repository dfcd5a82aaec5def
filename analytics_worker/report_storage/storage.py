"""Report files where people find them: whole or not there at all.

Writes below REPORT_OUTPUT_DIR, or where a report-storage block says, as far as
`analytics_worker.report_storage.rules` permits. A file gets its name when it is complete, so writing again
replaces it, and a reader never sees half of it.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Protocol

import fsspec

from analytics_worker.errors import PermanentError
from analytics_worker.report_storage.folder import PART, Folder, checked, public_link
from analytics_worker.report_storage.rules import (
    RemoteStorage,
    StorageError,
    checked_link,
    local_folder,
    remote_storage,
)
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from analytics_worker.transport.address_filter import AllowList
from analytics_worker.transport.connection_guard import restrict_connections
from blocks.report_storage import ReportStorage


class Storage(Protocol):
    """Where the files of reports are."""

    name: str
    """Of its block; empty for REPORT_OUTPUT_DIR."""

    is_remote: bool
    """Whether all hosts see the same files: what is missing there does not exist."""

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
    if not name:
        return Folder(settings().report_output_dir, "", settings().report_link_base)
    try:
        block: Any = ReportStorage.load(name, _sync=True)  # pyright: ignore[reportCallIssue]
    except ValueError:  # Prefect's word for: there is none
        raise StorageError(f"There is no Report Storage block named {name!r}.") from None
    try:
        return _of_block(block, name)
    except PermanentError as error:
        raise StorageError(f"Report Storage block {name!r}: {error}") from None


def _of_block(block: ReportStorage, name: str) -> Storage:
    link = checked_link(block.link) or settings().report_link_base
    if (folder := local_folder(block.base)) is not None:
        return Folder(folder, name, link)
    wanted = remote_storage(block)
    filesystem, base = _filesystem(wanted)
    spool = Folder(settings().report_output_dir, "", None)
    return Remote(filesystem, base, name, link, spool, wanted.allowed)


def _filesystem(wanted: RemoteStorage) -> tuple[Any, str]:
    try:
        with _within(wanted.allowed):
            return fsspec.core.url_to_fs(wanted.base, **wanted.options)
    except (ImportError, ValueError) as error:
        missing = isinstance(error, ImportError) and wanted.base.startswith("s3")
        cure = ": pip install 'analytics-worker[s3]'" if missing else ""
        raise StorageError(f"{error}{cure}") from None


def _within(allowed: AllowList | None) -> AbstractContextManager[object]:
    return nullcontext() if allowed is None else restrict_connections(allowed)


class Remote:
    """A bucket or server that fsspec speaks to; files are written to this host first."""

    def __init__(  # each from another setting
        self,
        filesystem: Any,
        base: str,
        name: str,
        link_base: str | None,
        spool: Folder,
        allowed: AllowList | None,
    ) -> None:
        """Nothing is opened yet."""
        self._allowed = allowed
        self.name = name
        self.is_remote = True
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
        path = self._spool.temporary_copy(filename)
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
        return public_link(self._link_base, filename) or str(own)

    @contextmanager
    def _named(self) -> Generator[None]:
        """Whatever goes wrong there is an OSError that names the block."""
        try:
            with _within(self._allowed):
                yield
        except PermanentError as error:
            raise StorageError(f"Report Storage block {self.name!r}: {error}") from None
        except Exception as error:  # noqa: BLE001  # each library has errors of its own
            kind = FileNotFoundError if isinstance(error, FileNotFoundError) else OSError
            what = one_line(str(error)) or type(error).__name__
            raise kind(f"Report Storage block {self.name!r}: {what}") from None
