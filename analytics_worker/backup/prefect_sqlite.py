"""Back up and restore the SQLite file of a Prefect server.

A running server is not disturbed: SQLite's online backup reads one state of the file while others write.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from prefect import __version__ as prefect_version

from analytics_worker.backup.errors import BackupError
from analytics_worker.backup.folder import OWNER_ONLY, BackupFolder
from analytics_worker.backup.manifest import PrefectCopy
from analytics_worker.text import one_line

FILE = "prefect/prefect.db"
SUFFIXES = ("", "-wal", "-shm")
USED = "select exists (select * from deployment) or exists (select * from flow_run)"
BUSY_SECONDS = 60


def back_up_sqlite(database: Path, folder: BackupFolder) -> PrefectCopy:
    """Copy the file of a server, which may be running.

    Raises:
        BackupError: the file is damaged, or is not one of Prefect.
    """
    copy = folder.file_path(FILE)
    os.close(os.open(copy, OWNER_ONLY, 0o600))
    try:
        with closing(_open(database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        found = _checked_revision(copy)
    except sqlite3.DatabaseError as error:
        reason = one_line(str(error))
        raise BackupError(f"{database} can't be backed up: {reason}") from None
    folder.add(FILE)
    return PrefectCopy(kind="sqlite", prefect_version=prefect_version, revision=found, file=FILE)


def _checked_revision(copy: Path) -> str:
    with closing(sqlite3.connect(f"{copy.as_uri()}?immutable=1", uri=True)) as connection:
        (result,) = connection.execute("pragma quick_check(1)").fetchone()
        if result != "ok":
            raise sqlite3.DatabaseError(str(result))
        return connection.execute("select version_num from alembic_version").fetchone()[0]


def check_sqlite(database: Path, *, replace: bool) -> None:
    """Refuse to replace a file that has deployments or runs.

    Raises:
        BackupError: it has some, or can't be read.
    """
    if replace or not database.exists():
        return
    try:
        with closing(_open(database)) as connection:
            (used,) = connection.execute(USED).fetchone()
    except sqlite3.DatabaseError as error:
        used, reason = True, f" ({one_line(str(error))})"
    else:
        reason = ""
    if used:
        raise BackupError(
            f"{database} has data already{reason}; nothing was changed. Use --replace to replace it"
        )


def restore_sqlite(folder: Path, database: Path) -> list[str]:
    """Put the file of a backup in the place of the server's, which is kept under another name."""
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = database.with_name(f"{database.name}.restoring")
    unfinished.unlink(missing_ok=True)
    with (
        (folder / FILE).open("rb") as source,
        os.fdopen(os.open(unfinished, OWNER_ONLY, 0o600), "wb") as target,
    ):
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
    notes = _set_aside(database)
    unfinished.replace(database)
    return notes


def _set_aside(database: Path) -> list[str]:
    kept = f"{database.name}.replaced-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    found = [suffix for suffix in SUFFIXES if database.with_name(database.name + suffix).exists()]
    for suffix in found:
        database.with_name(database.name + suffix).replace(database.with_name(kept + suffix))
    return [f"{database} was kept as {kept}"] if "" in found else []


def _open(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS
    )
