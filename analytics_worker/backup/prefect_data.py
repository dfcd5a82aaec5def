"""Back up and restore the database of the Prefect server, wherever this host keeps it."""

import re
from collections.abc import Callable
from pathlib import Path

import prefect.server.database

from analytics_worker.backup.database_copy import Say
from analytics_worker.backup.errors import BackupError
from analytics_worker.backup.folder import BackupFolder
from analytics_worker.backup.manifest import PrefectCopy
from analytics_worker.backup.prefect_postgres import back_up_postgres, restore_postgres
from analytics_worker.backup.prefect_sqlite import back_up_sqlite, check_sqlite, restore_sqlite
from analytics_worker.stack.prefect_database import server_url, sqlite_file

MIGRATIONS = Path(prefect.server.database.__file__).parent / "_migrations/versions"
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
NOT_HERE = (
    "The Prefect server has no database on this host ({file}): its deployments, runs and blocks are not in the"
    " backup. Run `backup` on the server's host, too"
)


def back_up_prefect(folder: BackupFolder, say: Say) -> tuple[PrefectCopy | None, list[str]]:
    """Copy the database of the server; return the copy, if this host has the database, and notes."""
    url = server_url()
    if url is not None:
        return back_up_postgres(url, folder, say), []
    file = sqlite_file()
    if file is None or not file.exists():
        return None, [NOT_HERE.format(file=file)]
    copied = back_up_sqlite(file, folder)
    say(f"{file}: {folder.files[copied.file or ''].bytes:,} bytes")
    return copied, []


def prepare_restore(
    copied: PrefectCopy, folder: Path, say: Say, *, replace: bool
) -> Callable[[], list[str]]:
    """Check what a restore would meet; return what restores the database.

    Raises:
        BackupError: the server uses another kind of database, which has data, or the backup is of a newer Prefect.
    """
    url, file = server_url(), sqlite_file()
    here = "postgresql" if url else "sqlite"
    if here != copied.kind:
        raise BackupError(
            f"The backup has the data of a Prefect server on {NAMES[copied.kind]}, and the server of this host uses"
            f" {NAMES[here]} (PREFECT_SERVER_DATABASE_CONNECTION_URL); nothing was changed. Change that, or leave"
            " that part out with --without-prefect and run `analytics-worker deploy` afterwards"
        )
    if not _is_known(copied):
        raise BackupError(
            f"The backup is of Prefect {copied.prefect_version} ({copied.revision}), newer than the one that is"
            " installed; nothing was changed. Restore it with the version that made it, or a newer one"
        )
    if url is None and file is not None:
        check_sqlite(file, replace=replace)
        return lambda: restore_sqlite(folder, file)
    return lambda: _restore_tables(url or "", copied, folder, say, replace=replace)


def _restore_tables(
    url: str, copied: PrefectCopy, folder: Path, say: Say, *, replace: bool
) -> list[str]:
    if copied.copied is None:
        return []
    return restore_postgres(url, copied.copied, folder, say, replace=replace)


def _is_known(copied: PrefectCopy) -> bool:
    """Whether the installed Prefect has the revision among its migrations."""
    line = re.compile(rf"^revision = ['\"]{re.escape(copied.revision)}['\"]", re.MULTILINE)
    files = (MIGRATIONS / copied.kind).glob("*.py")
    return any(line.search(file.read_text("utf-8")) for file in files)
