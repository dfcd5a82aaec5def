"""Restore a backup, while no worker and no server runs.

Everything is checked before anything is changed. The schema ``ops`` is replaced in one transaction that is committed
last. While a restore is not finished, a marker in the state folder keeps `make up` and `analytics-worker server` from
starting; after a kill, the restore can be repeated.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from analytics_worker.backup.database_copy import Say
from analytics_worker.backup.folder import verify
from analytics_worker.backup.manifest import Manifest, read_manifest
from analytics_worker.backup.ops import restoring_ops
from analytics_worker.backup.prefect_data import prepare_restore
from analytics_worker.backup.state_files import check_files, restore_files
from analytics_worker.migrations import migrate
from analytics_worker.stack.stopped_stack import stopped_stack

WAITING = (
    "{count} messages wait and are sent when a worker starts. Those that were sent after the backup are sent again,"
    " with the same Message-ID or Idempotency-Key"
)


@dataclass(frozen=True)
class Restored:
    """What was restored."""

    manifest: Manifest
    notes: list[str]
    files: int
    waiting: int


@dataclass(frozen=True)
class Options:
    """How to restore."""

    replace: bool = False
    other_database: bool = False
    prefect: bool = True


def restore_backup(path: Path, options: Options, say: Say) -> Restored:
    """Restore a backup on this host.

    Raises:
        BackupError: the backup is damaged or newer, or the target has data; nothing was changed.
        StackError: a stack or server runs here.
    """
    manifest = read_manifest(path)
    say("checksums")
    verify(path, manifest)
    with stopped_stack(restoring=True) as state:
        restore_prefect = _prefect(path, manifest, options, say)
        check_files(path, manifest, replace=options.replace)
        with restoring_ops(
            path,
            manifest,
            say,
            replace=options.replace,
            other_database=options.other_database,
        ) as ops:
            state.restore_marker.write_text(f"{path}\n", errors="replace")
            notes = [*ops.notes, *restore_prefect()]
            files = restore_files(path, manifest)
        migration = migrate()
        state.restore_marker.unlink()
    notes += [*migration.notes, *_waiting(ops.waiting)]
    return Restored(manifest, notes, files, ops.waiting)


def _waiting(count: int) -> list[str]:
    return [WAITING.format(count=count)] if count else []


def _prefect(path: Path, manifest: Manifest, options: Options, say: Say) -> Callable[[], list[str]]:
    if manifest.prefect is None or not options.prefect:
        return list
    return prepare_restore(manifest.prefect, path, say, replace=options.replace)
