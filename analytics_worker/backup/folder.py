"""Write the folder of a backup: files for their owner only, and the manifest last.

A folder without a manifest is not a backup. A killed backup leaves the file ``unfinished``, by which the next
one into the same folder knows that it may remove the rest. A failed one removes what it has written.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Self

from analytics_worker.backup.errors import BackupError
from analytics_worker.backup.manifest import FOLDERS, MANIFEST, FileEntry, Manifest, read_manifest

UNFINISHED = "unfinished"
IGNORED = frozenset({"lost+found"})
OWNER_ONLY = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW


class _Writer:
    """A file that is hashed while it is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> int:
        """Write all of the data."""
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: the file is flushed at its end."""

    def entry(self) -> FileEntry:
        """Return size and checksum of what was written."""
        return FileEntry(bytes=self._size, sha256=self._hash.hexdigest())


class BackupFolder:
    """A folder that gets a backup. Use `open_folder`."""

    def __init__(self, path: Path) -> None:
        """Write to this folder, which must be new, empty, or that of an unfinished backup."""
        self.path = path
        self.files: dict[str, FileEntry] = {}
        self._is_new = not path.exists()
        self._lock: IO[str] | None = None

    def prepare(self) -> Self:
        """Create the folder and lock it against other backups.

        Raises:
            BackupError: it has other files.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check()
        lock = (self.path / UNFINISHED).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise BackupError(f"{self.path}: another backup is writing to this folder") from None
        self._lock = lock
        self._remove()
        return self

    def _check(self) -> None:
        found = {entry.name for entry in self.path.iterdir()} - IGNORED
        if MANIFEST in found:
            created_at = read_manifest(self.path).created_at
            raise BackupError(
                f"{self.path} has a backup of {created_at:%Y-%m-%d %H:%M} UTC: choose another folder"
            )
        if found and UNFINISHED not in found:
            raise BackupError(f"{self.path} is not empty: choose a new or an empty folder")

    def discard(self) -> None:
        """Remove what was written."""
        if self._lock is None:
            return
        self._remove()
        (self.path / UNFINISHED).unlink(missing_ok=True)
        if self._is_new:
            with suppress(OSError):
                self.path.rmdir()

    def release_lock(self) -> None:
        """Let others use this folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _remove(self) -> None:
        for name in FOLDERS:
            shutil.rmtree(self.path / name, ignore_errors=True)

    @contextmanager
    def file(self, name: str) -> Generator[_Writer]:
        """Open a new file of the backup; one that is not completed is removed."""
        path = self.file_path(name)
        try:
            with os.fdopen(os.open(path, OWNER_ONLY, 0o600), "wb") as file:
                writer = _Writer(file)
                yield writer
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self.files[name] = writer.entry()

    def file_path(self, name: str) -> Path:
        """Return the path of a file, whose folders are created."""
        folder = self.path
        for part in name.split("/")[:-1]:
            folder /= part
            folder.mkdir(mode=0o700, exist_ok=True)
        return self.path / name

    def add(self, name: str) -> None:
        """Add a file that another program wrote."""
        with (self.path / name).open("rb+") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            self.files[name] = FileEntry(bytes=file.tell(), sha256=digest)

    def finish(self, manifest: Manifest) -> None:
        """Make the folder a backup: write the manifest, as a whole or not at all."""
        for folder in {path.parent for path in self.path.rglob("*")}:
            _sync(folder)
        unfinished = self.path / f".{MANIFEST}.new"
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, OWNER_ONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(manifest.text())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.path / MANIFEST)
        _sync(self.path)
        (self.path / UNFINISHED).unlink()


@contextmanager
def open_folder(path: Path) -> Generator[BackupFolder]:
    """Open a folder for a new backup; after an error, what was written is removed."""
    folder = BackupFolder(path)
    try:
        yield folder.prepare()
    except BaseException:
        with suppress(OSError):
            folder.discard()
        raise
    finally:
        folder.release_lock()


def verify(folder: Path, manifest: Manifest) -> None:
    """Check size and checksum of each file.

    Raises:
        BackupError: one differs; nothing was changed.
    """
    for name, entry in manifest.files.items():
        problem = _problem(folder / name, entry)
        if problem:
            raise BackupError(f"{folder / name} is damaged ({problem}); nothing was changed")


def _problem(path: Path, entry: FileEntry) -> str | None:
    if path.is_symlink() or not path.is_file():
        return "it is missing"
    if path.stat().st_size != entry.bytes:
        return f"it has {path.stat().st_size:,} bytes, expected {entry.bytes:,}"
    with path.open("rb") as file:
        same = hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    return None if same else "its checksum differs"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
