"""Print texts from data, files and APIs, without control characters for the terminal."""

from pathlib import Path

import typer

from analytics_worker.definitions.yaml_definitions import READ_FILES, unread_files
from analytics_worker.settings import unread_variables
from analytics_worker.text import printable


def echo(text: str, *, err: bool = False) -> None:
    """Print the text; control characters and terminal escapes in it become visible."""
    typer.echo(printable(text), err=err)


def name_unread(folder: Path) -> None:
    """Name the YAML files of a folder of definitions, and the variables of ``.env``, that nothing reads."""
    for line in unread_variables():
        echo(line, err=True)
    for name in unread_files(folder):
        echo(f"{name} is not read; expected {', '.join(sorted(READ_FILES))}", err=True)
