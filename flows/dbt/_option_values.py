"""Check the values that a caller passes to dbt's options.

Reads dbt_project.yml; writes nothing. A caller of the flow is not an author of the project. Macros
of the project insert variables into SQL that runs as the worker's role, so a caller may set only
variables that the project declares, to values that can't leave an SQL literal.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, cast

import yaml

from analytics_worker.errors import PermanentError
from flows.dbt.state.folder import MANIFEST, PRODUCTION, NoStateError, production_state

MAX_VALUE_CHARACTERS = 10_000
MAX_THREADS = 64
MAX_NAMES, MAX_NAME_CHARACTERS = 12, 60
PROJECT_FILE = "dbt_project.yml"
_SAFE_TEXT = re.compile(r"(?!.*(--|/\*))[\w .,:@+/=-]*")
_ALLOWED = "letters, digits, spaces and _ . , : @ + / = -, without -- and /*"


class DbtArgumentError(PermanentError):
    """An argument that is not allowed; the message names it and the allowed values."""


def check_value(option: str, value: str, project: Path) -> str:
    """Return the value of an option as dbt receives it.

    Raises:
        DbtArgumentError: the value is not valid for the option, or not allowed for callers.
    """
    if len(value) > MAX_VALUE_CHARACTERS or not value.isprintable():
        raise DbtArgumentError(
            f"dbt_args: the value of {option} is longer than {MAX_VALUE_CHARACTERS:,} characters or not"
            " printable; expected one short line."
        )
    check = _CHECKS.get(option)
    return check(option, value, project) if check else value


def nearest_first(value: str, allowed: Iterable[str], hint: str = "") -> str:
    """Return some of the allowed names, the most similar ones first, and the number of others."""
    names = sorted(allowed)
    similar = difflib.get_close_matches(value, names, n=3, cutoff=0.3)
    ordered = [*similar, *(each for each in names if each not in similar)]
    rest = len(ordered) - MAX_NAMES
    text = ", ".join(each[:MAX_NAME_CHARACTERS] for each in ordered[:MAX_NAMES])
    return f"{text} and {rest} more{hint}" if rest > 0 else text


def _threads(option: str, value: str, _project: Path) -> str:
    if not re.fullmatch(r"\d{1,3}", value, re.ASCII) or not 1 <= int(value) <= MAX_THREADS:
        raise DbtArgumentError(
            f"dbt_args: {option} {value[:40]!r} is not a valid number of threads;"
            f" expected 1 to {MAX_THREADS}."
        )
    return value


def _project_folder(option: str, value: str, project: Path) -> str:
    if value == PRODUCTION:
        return str(_production(project))
    folder = (project / value).resolve()
    if not folder.is_relative_to(project.resolve()):
        raise DbtArgumentError(
            f"dbt_args: {option} {value} is outside the dbt project; expected a folder below {project}."
        )
    return str(folder)


def _production(project: Path) -> Path:
    """Return the newest state with a manifest, which most selections compare with; else with results."""
    try:
        return production_state(project, MANIFEST)
    except NoStateError:
        return production_state(project)


def _warn_error_options(option: str, value: str, _project: Path) -> str:
    return json.dumps(_mapping(option, value))


def _variables(option: str, value: str, project: Path) -> str:
    variables = _mapping(option, value)
    declared = _declared(project)
    for name, setting in variables.items():
        if name not in declared:
            known = f"expected one of: {nearest_first(str(name), declared)}. It declares"
            raise DbtArgumentError(
                f"dbt_args: {option} {str(name)[:40]!r} is not a variable of this project;"
                f" {known if declared else 'it declares none. It may declare'} others under vars: in"
                f" {PROJECT_FILE}."
            )
        _check_setting(name, setting)
    return json.dumps(variables, default=str, ensure_ascii=False)


def macro_arguments(args: Mapping[str, Any]) -> str:
    """Return the arguments of a macro as dbt receives them.

    Raises:
        DbtArgumentError: a value is not allowed for callers.
    """
    for name, setting in args.items():
        _check_setting(name, setting, "args")
    return json.dumps(dict(args), default=str, ensure_ascii=False)


def _check_setting(name: str, setting: Any, option: str = "dbt_args: --vars") -> None:
    for item in cast("list[Any]", setting) if isinstance(setting, list) else [setting]:
        plain = item is None or isinstance(item, bool | int | float | date)
        if not plain and not (isinstance(item, str) and _SAFE_TEXT.fullmatch(item)):
            raise DbtArgumentError(
                f"{option} {name}: {str(item)[:40]!r} is not a valid value, because the project"
                f" writes it into SQL; expected a number, a date, or a text of {_ALLOWED}."
            )


def _mapping(option: str, value: str) -> dict[str, Any]:
    try:
        aliases = any(isinstance(token, yaml.AliasToken) for token in yaml.scan(value))
        mapping = None if aliases else yaml.safe_load(value)
        json.dumps(mapping, default=str)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        mapping = None
    if not isinstance(mapping, dict):
        raise DbtArgumentError(
            f"dbt_args: {option} {value[:40]!r} is not a valid mapping;"
            """ expected one such as '{"name": "value"}', without anchors."""
        )
    return cast("dict[str, Any]", mapping)


def _declared(project: Path) -> frozenset[str]:
    """Return the names below ``vars:``, including those of packages."""
    file = project / PROJECT_FILE
    document = yaml.safe_load(file.read_text()) if file.is_file() else None
    variables = cast("Mapping[Any, Any]", (document or {}).get("vars") or {})
    packages = [each for each in variables.values() if isinstance(each, dict)]
    return frozenset(str(name) for names in (variables, *packages) for name in names)


_CHECKS: dict[str, Callable[[str, str, Path], str]] = {
    "--threads": _threads,
    "--state": _project_folder,
    "--defer-state": _project_folder,
    "--vars": _variables,
    "--warn-error-options": _warn_error_options,
}
