"""``analytics-worker restore``: see `analytics_worker.backup.restore`."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from analytics_worker.cli.backup import progress, summary
from analytics_worker.cli.output import echo
from analytics_worker.disk_problems import named_disk_errors
from analytics_worker.settings import settings

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a backup.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace the data that is there.")]
OtherDatabase = Annotated[
    bool,
    typer.Option("--other-database", help="Restore into a database of another name, too."),
]
WithoutPrefect = Annotated[
    bool, typer.Option("--without-prefect", help="Leave out the data of the Prefect server.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def restore(
    folder: Folder,
    replace: Replace = False,
    other_database: OtherDatabase = False,
    without_prefect: WithoutPrefect = False,
    as_json: Json = False,
) -> None:
    """Restore a backup, while no worker and no server runs; a restore that was killed can be repeated."""
    from analytics_worker.backup.restore import Options, restore_backup  # noqa: PLC0415  # imports Prefect

    started = time.monotonic()
    options = Options(replace, other_database, not without_prefect)
    with named_disk_errors(settings().state_dir):
        restored = restore_backup(folder.absolute(), options, progress)
    seconds = time.monotonic() - started
    manifest = restored.manifest
    if as_json:
        result = summary(folder, manifest, seconds)
        result |= {"files": restored.files, "waiting": restored.waiting, "notes": restored.notes}
        typer.echo(json.dumps(result))
        return
    echo(
        f"Restored the backup of {manifest.created_at:%Y-%m-%d %H:%M} UTC from host {manifest.host}"
        f" in {seconds:.1f} s"
    )
    for note in restored.notes:
        echo(note)
    for line in manifest.missing:
        echo(f"not in the backup: {line}", err=True)
