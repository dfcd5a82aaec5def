"""The options of the commands of the installed dbt.

Reads dbt's own command line; stores its options in ``<state_dir>/dbt/options-<version>.json``, because
importing dbt takes seconds. Safe to repeat: the file is replaced atomically.
"""

import json
import os
import tempfile
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flows.dbt._workspace import dbt_state

Options = dict[str, list[str]]


def command_options(command: str) -> frozenset[str]:
    """Return every spelling of the options of ``dbt <command>``.

    Args:
        command: Such as ``run`` or ``source freshness``.
    """
    path = dbt_state() / f"options-{version('dbt-core')}.json"
    stored = _stored(path)
    if command not in stored:
        stored = _installed_options()
        _store(path, stored)
    return frozenset(stored.get(command, ()))


def _stored(path: Path) -> Options:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def _store(path: Path, options: Options) -> None:
    """Store the options; without the file, the next run imports dbt again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w") as file:
            json.dump(options, file)
        Path(temporary).replace(path)
    except OSError:
        return


@lru_cache
def _installed_options() -> Options:
    cli: Any = import_module("dbt.cli.main").cli
    return dict(_options("", cli))


def _options(prefix: str, group: Any) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for name, command in group.commands.items():
        spellings = [
            spelling
            for parameter in command.params
            for spelling in (*parameter.opts, *parameter.secondary_opts)
            if "deprecated" not in spelling
        ]
        found.append((f"{prefix}{name}", spellings))
        if hasattr(command, "commands"):
            found += _options(f"{prefix}{name} ", command)
    return found
