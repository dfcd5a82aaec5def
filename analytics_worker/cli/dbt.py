"""``analytics-worker dbt``: compare the dbt project with production, show the history of a node.

Reads the dbt project, the kept states of production and the history in schema ops; writes nothing.
"""

from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import RowMapping

from analytics_worker.cli.output import echo
from analytics_worker.cli.shell import Shell
from analytics_worker.settings import settings
from flows.dbt._dbt_artifacts import PASSED, SKIPPED
from flows.dbt.node_history.search import node_history
from flows.dbt.state import diff as state_diff
from flows.dbt.state.folder import MANIFEST, PRODUCTION, production_state

PLACE = {"relation": "(none)", "target": "(default)"}
"""In what results of one node differ, and how a missing value is shown."""
dbt = typer.Typer(
    cls=Shell,
    no_args_is_help=True,
    help="Show what a change of the dbt project would rebuild, or the history of a node.",
)


@dbt.command()
def diff(
    state: Annotated[
        str, typer.Option(help="production, or a folder with a manifest.json.")
    ] = PRODUCTION,
    project: Annotated[
        Path | None, typer.Option(help="Folder of the dbt project; default: DBT_PROJECT_PATH.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Target of profiles.yml.")] = None,
) -> None:
    """Show what the files of the project would rebuild, compared with production, and why."""
    folder = (project or settings().dbt_project_path).resolve()
    profiles = settings().profiles_dir if project is None else _profiles(folder)
    kept = production_state(folder, MANIFEST) if state == PRODUCTION else Path(state).resolve()
    changes = state_diff.diff(folder, profiles, kept, target)
    removed = state_diff.removed(folder, kept)
    for change in changes:
        echo(f"{change.resource_type:<10} {change.name:<40} {change.reason}")
    for name in removed:
        echo(f"{'removed':<10} {name:<40} dbt keeps its relation")
    echo(f"{len(changes)} nodes to rebuild, compared with {kept}")


@dbt.command()
def history(
    node: Annotated[str, typer.Argument(help="Its name or its unique id.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Number of results.")] = 20,
) -> None:
    """Show the last results of a node: when, how long, how many rows, and why it failed."""
    rows = node_history(node, limit)
    newest = rows[0]
    for field in ("unique_id", *PLACE, "owner"):
        if newest[field]:
            echo(f"{field.replace('_', ' '):<10} {newest[field]}")
    echo(
        f"{'started (UTC)':<20} {'command':<14} {'status':<10} {'seconds':>8} {'usual':>8} {'rows':>8}"
    )
    for row in rows:
        _show(row, newest)


def _show(row: RowMapping, newest: RowMapping) -> None:
    """Print a result, and what it built if that is not what the newest one did."""
    at = f"{row['started_at'].astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    numbers = "".join(
        f" {'' if value is None else format(value, pattern):>8}"
        for value, pattern in (
            (row["seconds"], ".2f"),
            (row["usual_seconds"], ".2f"),
            (row["rows_affected"] if row["failures"] is None else row["failures"], "d"),
        )
    )
    echo(f"{at:<20} {row['command']:<14} {row['status']:<10}{numbers}")
    if any(row[field] != newest[field] for field in PLACE):
        echo(
            f"    {', '.join(f'{field} {row[field] or default}' for field, default in PLACE.items())}"
        )
    if row["status"] in PASSED | SKIPPED:
        return
    echo(f"    {row['message']}")
    if row["failures_relation"]:
        echo(f"    failing rows: {row['failures_relation']}")


def _profiles(project: Path) -> Path:
    """Return the folder of profiles.yml for another project: its own, or that of the settings."""
    own = project / "profiles.yml"
    return project if own.is_file() else settings().profiles_dir
