"""``analytics-worker backup``: see `analytics_worker.backup.create`. Exit code 1 if something could not be read."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analytics_worker.cli.output import echo

if TYPE_CHECKING:
    from analytics_worker.backup.manifest import Manifest

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A new or an empty folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def backup(folder: Folder, as_json: Json = False) -> None:
    """Back up schema ops, the Prefect server's database, reports and login into a folder, while all runs.

    The folder has secrets: only its owner can read it. Progress is printed to standard error.
    """
    from analytics_worker.backup.create import create_backup  # noqa: PLC0415  # imports Prefect

    started = time.monotonic()
    manifest = create_backup(folder.absolute(), progress)
    seconds = time.monotonic() - started
    if as_json:
        typer.echo(json.dumps(summary(folder, manifest, seconds)))
    else:
        echo(_sentence(folder, manifest, seconds))
        for note in manifest.notes:
            echo(note)
    for line in manifest.missing:
        echo(f"not in the backup: {line}", err=True)
    if manifest.missing:
        raise typer.Exit(1)


def progress(line: str) -> None:
    """Print what was done, to standard error."""
    echo(f"  {line}", err=True)


def summary(folder: Path, manifest: "Manifest", seconds: float) -> dict[str, Any]:
    """Return what a backup has, for programs."""
    prefect = manifest.prefect
    return {
        "folder": str(folder.absolute()),
        "created_at": manifest.created_at.isoformat(),
        "version": manifest.version,
        "host": manifest.host,
        "database": manifest.ops.database,
        "revision": manifest.ops.revision,
        "rows": {table.name: table.rows for table in manifest.ops.tables},
        "prefect": prefect and {"kind": prefect.kind, "version": prefect.prefect_version},
        "reports": len(manifest.names("reports")),
        "bytes": _size(manifest),
        "seconds": round(seconds, 3),
        "notes": manifest.notes,
        "missing": manifest.missing,
    }


def _size(manifest: "Manifest") -> int:
    return sum(entry.bytes for entry in manifest.files.values())


def _sentence(folder: Path, manifest: "Manifest", seconds: float) -> str:
    rows = sum(table.rows for table in manifest.ops.tables)
    what = f"{rows:,} rows of schema ops (revision {manifest.ops.revision})"
    if manifest.prefect:
        what += ", the database of the Prefect server"
    what += f", {len(manifest.names('reports')):,} report files"
    return f"{folder}: {what}; {_size(manifest) / 1e6:,.1f} MB in {seconds:.1f} s"
