"""Check what a selection compares with, and whether an empty one means that nothing changed.

Reads the folders of kept states; writes nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from analytics_worker.database.dbt_environment import dbt_environment
from flows.dbt.state.folder import (
    FIRST_RUN,
    MANIFEST,
    RESULTS,
    SOURCES,
    NoStateError,
    project_name,
    states_folder,
)

COMPARED = {"state": MANIFEST, "result": RESULTS, "source_status": SOURCES}
"""The methods of dbt's selections that compare with a state, and the file that they read."""
_METHOD = re.compile(r"(?:^|[,@+'\"\s])(state|result|source_status)\b['\".\w]*:")
_DEFINITION = re.compile(r"['\"]method['\"]: ?['\"](state|result|source_status)\b")


def compared(criteria: Iterable[str]) -> set[str]:
    """Return the methods among these criteria, or definitions of selectors.yml, that compare with a state."""
    return {
        method
        for each in criteria
        for pattern in (_METHOD, _DEFINITION)
        for method in pattern.findall(each)
    }


def has_nothing_to_compare(
    lists: Mapping[str, Sequence[str]], selector: str, unmatched: Sequence[str]
) -> bool:
    """Whether an empty selection means that nothing differs from the state, so that nothing is to be done.

    Args:
        lists: The lists of the caller, such as ``--select``.
        selector: The definition of the ``--selector``; empty without one.
        unmatched: The criteria for which dbt found no nodes: a misspelled name is one of them.
    """
    chosen = [*lists.get("--select", []), selector]
    return bool(compared(chosen)) and all(compared([each]) for each in unmatched)


def check_state(options: Sequence[str], lists: Mapping[str, Sequence[str]], project: Path) -> None:
    """Check that there are the files that a selection, or ``--defer``, compares with.

    Raises:
        NoStateError: there is no such file; the message says how to get one.
    """
    selection = [*lists.get("--select", []), *lists.get("--exclude", [])]
    state = _value(options, "--state", "DBT_STATE")
    for method in sorted(compared(selection)):
        _require(f"{method}:", COMPARED[method], "--state", state)
    if "source_status" in compared(selection):
        current = states_folder(project_name(project))
        _require("source_status:", SOURCES, "a freshness check", str(current))
    if "--defer" in options:
        deferred = _value(options, "--defer-state", "DBT_DEFER_STATE") or state
        _require("--defer", MANIFEST, "--state", deferred)


def _value(options: Sequence[str], option: str, variable: str) -> str | None:
    """Return the value of the option; else that of the variable that dbt reads."""
    if option in options:
        return options[options.index(option) + 1]
    return dbt_environment().get(variable)


def _require(needed_by: str, file: str, option: str, folder: str | None) -> None:
    if folder is None:
        raise NoStateError(
            f"dbt_args: {needed_by} compares with an earlier run, but {option} is missing; expected"
            f" {option} production, or {option} with a folder below the dbt project that has {file}."
        )
    if not (Path(folder) / file).is_file():
        raise NoStateError(
            f"dbt_args: {needed_by} needs {file}, which {folder} does not have. For production,"
            f" {FIRST_RUN[file]}; else give --state a folder below the dbt project that has it."
        )
