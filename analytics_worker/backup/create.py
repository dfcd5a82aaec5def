"""Back up the state of the worker into a folder, while it runs.

The order is what keeps the parts consistent. The Prefect server comes first, then the schema ``ops``, then the files
that ``ops`` refers to: ``ops`` is never older than what the server says about runs. So no run is known as completed
whose effects are missing, and one that is repeated after a restore finds in ``ops`` what it has done already.
"""

import socket
from datetime import UTC, datetime
from pathlib import Path

from analytics_worker.backup.database_copy import Say
from analytics_worker.backup.folder import BackupFolder, open_folder
from analytics_worker.backup.manifest import FORMAT, Manifest
from analytics_worker.backup.ops import back_up_ops
from analytics_worker.backup.prefect_data import back_up_prefect
from analytics_worker.backup.state_files import back_up_files
from analytics_worker.disk_problems import named_disk_errors
from analytics_worker.settings import settings
from analytics_worker.source_version import source_version
from analytics_worker.stack.stopped_stack import running_or_stopped_stack

REMOTE_REPORTS = (
    "Report files of the Report Storage block {block!r} are not in the backup: back up that storage"
)


def create_backup(path: Path, say: Say) -> Manifest:
    """Write a backup into a new or empty folder; on any error, nothing of it is left.

    Raises:
        BackupError: the folder has other files, or data can't be read.
        DiskError: the folder can't be written.
        StackError: the database of the stack does not start.
    """
    with running_or_stopped_stack(), open_folder(path) as folder, named_disk_errors(path):
        manifest = _write(folder, say)
        folder.finish(manifest)
    return manifest


def _write(folder: BackupFolder, say: Say) -> Manifest:
    created_at = datetime.now(UTC).replace(microsecond=0)
    prefect, notes = back_up_prefect(folder, say)
    ops = back_up_ops(folder, say)
    more, missing = back_up_files(folder, ops.report_files)
    for part, count in (("report", "reports"), ("state of dbt", "dbt-states")):
        if found := [name for name in folder.files if name.startswith(f"{count}/")]:
            say(f"{part} files: {len(found):,}")
    block = settings().report_storage_block
    remote = [REMOTE_REPORTS.format(block=block)] if block else []
    return Manifest(
        format=FORMAT,
        version=source_version(),
        created_at=created_at,
        host=socket.gethostname(),
        ops=ops.copied,
        prefect=prefect,
        notes=[*notes, *more, *remote],
        missing=missing,
        files=folder.files,
    )
