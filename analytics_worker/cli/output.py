"""Print texts from data, files and APIs, without control characters for the terminal."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from analytics_worker.definitions.yaml_definitions import READ_FILES, unread_files
from analytics_worker.delivery.routing import unreachable_owner
from analytics_worker.settings import unread_variables
from analytics_worker.text import printable

MAX_WIDTH = 10_000


def echo(text: str, *, err: bool = False) -> None:
    """Print the text; control characters and terminal escapes in it become visible."""
    typer.echo(printable(text), err=err)


def echo_json(document: object) -> None:
    """Print one JSON document: letters of all scripts as they are, and what can't be shown escaped."""
    text = json.dumps(document, indent=2, default=str, ensure_ascii=False)
    typer.echo("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal; in full where the output is not one."""
    Console(width=None if sys.stdout.isatty() else MAX_WIDTH).print(table)


def name_unreachable(owners: Iterable[str | None]) -> None:
    """Name the owners that can't be emailed, and who is notified in their place."""
    lines = (unreachable_owner(owner) for owner in dict.fromkeys(owners) if owner)
    for line in filter(None, lines):
        echo(line, err=True)


def name_unread(folder: Path) -> None:
    """Name the YAML files of a folder of definitions, and the variables of ``.env``, that nothing reads."""
    for line in unread_variables():
        echo(line, err=True)
    for name in unread_files(folder):
        echo(f"{name} is not read; expected {', '.join(sorted(READ_FILES))}", err=True)
