"""Publish tables in the Prefect UI, whose cells are texts from data.

The UI renders every text of a cell as Markdown: a tag would disappear, a link or an image would be one.
Writes an artifact of the current run.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from prefect import artifacts

_MARKUP = re.compile(r"[\\`*\[\]<>|~]|&(?=#?\w{1,32};)|(?<!\w)_|_(?!\w)")
"""Within a line; underscores within a name mean nothing."""
_BLOCK = re.compile(
    r"^([ \t]*\d{1,9}(?=[.)](?:\s|$))|[ \t]*(?=[#=]|[+-](?:[\s-]|$)))", re.MULTILINE
)
"""At the start of a line: lists, headings and rules; not -7."""


def escape_markdown(text: str) -> str:
    """Escape a text from data, so that Markdown shows it unchanged."""
    return _BLOCK.sub(r"\1\\", _MARKUP.sub(r"\\\g<0>", text))


def create_table_artifact(
    table: Sequence[Mapping[str, Any]], *, key: str, description: str
) -> None:
    """Publish rows whose texts are shown unchanged; the description is Markdown."""
    artifacts.create_table_artifact(_rows(table), key=key, description=description)


def update_table_artifact(
    table: Sequence[Mapping[str, Any]], *, key: str, description: str
) -> bool:
    """Publish rows unless the last table of the key has the same ones; return whether it was published."""
    last: Any = artifacts.Artifact.get(key)
    if last is not None and last.data == json.dumps(_rows(table)):
        return False
    create_table_artifact(table, key=key, description=description)
    return True


def _rows(table: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: _cell(value) for name, value in row.items()} for row in table]


def _cell(value: object) -> object:
    return escape_markdown(value) if isinstance(value, str) else value
