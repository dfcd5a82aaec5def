"""The command ``analytics-worker``. Each command is the function of its name in ``cli/<name>.py``.

A command's module is imported when the command runs, so that ``--help`` answers at once, and
after the stack that runs here was found: Prefect reads the address of its API when it is imported.
"""

import importlib
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer

from analytics_worker.cli.shell import (
    DEBUG,
    Shell,
    end_on_interrupt,
    exit_on_error,
    refuse_copied_script,
)
from analytics_worker.cli.stack_env import use_running_stack
from analytics_worker.settings import EnvFileError, InvalidSettingError

# What --help shows; the order is the order of use.
COMMANDS = {
    "up": "Start the whole worker, run its pipeline once, and stay up; Ctrl-C stops everything.",
    "status": "Show the components, pools, and the last and next run of every deployment.",
    "doctor": "Look over versions, settings, permissions, clocks, disks, sizes and schedules.",
    "deploy": "Bring pools, blocks and deployments of the Prefect API up to date with prefect.yaml.",
    "worker": "Serve the work pools from one process; each run is forked from a preloaded one.",
    "server": "Serve the Prefect API and UI alone, for workers on several hosts.",
    "exporter": "Serve the metrics for Prometheus alone.",
    "health": "Check that a service of this host is alive, for containers and load balancers.",
    "migrate": "Bring the worker's own tables (schema ops) and the reader role up to date.",
    "backup": "Back up the state of the worker into a folder, while it runs.",
    "restore": "Restore a backup, while nothing runs.",
    "alerts": "Validate, store, test, backtest and silence alert rules.",
    "reports": "Validate, store, generate and send reports.",
    "dbt": "Show what a change of the dbt project would rebuild, or the history of a node.",
    "lineage": "Show what something is made from, and what breaks with it.",
    "trust": "Show through when data is complete, its tests and incidents.",
    "incidents": "List and show incidents; acknowledge, assign, snooze and comment them.",
    "promises": "Show by when reports and relations are promised, and whether they were there.",
    "channels": "List the channels with their last success and failure, or test one.",
    "sample": "Fill schema raw with a realistic CRM warehouse, or add new data to it.",
    "env": 'Print the variables of server and database for a shell: eval "$(analytics-worker env)".',
}
SERVING = frozenset({"exporter", "server", "up", "worker"})
"""They run until a signal ends them, and handle it themselves."""
OWN_SERVER = frozenset({"server", "up"})
"""They start a server instead of using one that runs."""


class LazyGroup(Shell):
    """Commands that are imported on demand."""

    def __init__(self, **options: Any) -> None:
        """Let unknown commands be compared with the known ones."""
        super().__init__(**options)
        self.commands = dict.fromkeys(COMMANDS, self)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # the library's signature
        """Names, in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # the library's signature
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in OWN_SERVER:
            _find_stack()
        function = getattr(importlib.import_module(f"analytics_worker.cli.{cmd_name}"), cmd_name)
        if isinstance(function, typer.Typer):  # a command with commands of its own
            function.info.name = cmd_name
            return typer.main.get_command(function)
        single = typer.Typer(add_completion=False)
        single.command(cmd_name)(function)
        return typer.main.get_command(single)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # the library's signature
        """The list of commands, without importing any of them."""
        typer.echo("Usage: analytics-worker COMMAND [OPTIONS]\n")
        for name, text in COMMANDS.items():
            typer.echo(f"  {name:<8} {text}")
        typer.echo(
            "\nanalytics-worker COMMAND --help shows a command's options; --version the version;"
            "\n--debug after a command that failed shows where."
        )


def _find_stack() -> None:
    """Use the running stack; of invalid settings only those prevent it without which nothing is known."""
    try:
        use_running_stack()
    except EnvFileError:
        raise
    except InvalidSettingError:  # --help answers; the command itself refuses it
        return


app = typer.Typer(cls=LazyGroup, add_completion=False, no_args_is_help=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"analytics-worker {version('analytics-worker')}")
        raise typer.Exit


@app.callback()
def _analytics_worker(
    show_version: Annotated[  # handled by its callback
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Keep a PostgreSQL KPI warehouse up to date."""


def main() -> None:
    """Entry point of the console script."""
    with exit_on_error(debug=DEBUG in sys.argv):
        refuse_copied_script()
    if not SERVING.intersection(sys.argv[1:2]):
        end_on_interrupt()
    app()
