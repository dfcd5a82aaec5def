"""Print texts from data, files and APIs, without control characters for the terminal."""

import typer

from analytics_worker.text import printable


def echo(text: str, *, err: bool = False) -> None:
    """Print the text; control characters and terminal escapes in it become visible."""
    typer.echo(printable(text), err=err)
