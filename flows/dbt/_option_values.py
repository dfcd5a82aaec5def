"""Which values a caller may give dbt's options: what dbt gets is what was judged here.

Reads dbt_project.yml; writes nothing. Whoever calls the flow does not write the project: its macros
splice variables into SQL that runs as the worker's role, so a caller sets only variables that the
project declares, to values that cannot leave a SQL literal.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, cast

import yaml

from analytics_worker.errors import PermanentError

LONGEST = 10_000
MOST_THREADS = 64
PROJECT_FILE = "dbt_project.yml"
_HARMLESS = re.compile(r"(?!.*(--|/\*))[\w .,:@+/=-]*")
_ALLOWED = "letters, digits, spaces and _ . , : @ + / = -, without -- and /*"


class DbtArgumentError(PermanentError):
    """An argument that dbt must not get; says which and what is allowed."""


def check_value(option: str, value: str, project: Path) -> str:
    """The value of an option as dbt gets it.

    Raises:
        DbtArgumentError: it is not a value for that option, or not one for callers.
    """
    if len(value) > LONGEST or not value.isprintable():
        raise DbtArgumentError(
            f"dbt_args: the value of {option} is longer than {LONGEST:,} characters or not"
            " printable; expected one short line."
        )
    check = _CHECKS.get(option)
    return check(option, value, project) if check else value


def _threads(option: str, value: str, _project: Path) -> str:
    if not re.fullmatch(r"\d{1,3}", value, re.ASCII) or not 1 <= int(value) <= MOST_THREADS:
        raise DbtArgumentError(
            f"dbt_args: {option} {value[:40]!r} is not a valid number of threads;"
            f" expected 1 to {MOST_THREADS}."
        )
    return value


def _inside(option: str, value: str, project: Path) -> str:
    inside = (project / value).resolve()
    if not inside.is_relative_to(project.resolve()):
        raise DbtArgumentError(
            f"dbt_args: {option} {value} is outside the dbt project; give a folder below {project}."
        )
    return str(inside)


def _warn_error_options(option: str, value: str, _project: Path) -> str:
    return json.dumps(_mapping(option, value))


def _variables(option: str, value: str, project: Path) -> str:
    given = _mapping(option, value)
    declared = _declared(project)
    for name, setting in given.items():
        if name not in declared:
            raise DbtArgumentError(
                f"dbt_args: {option} {str(name)[:40]!r} is not a variable of this project; expected"
                f" one of {sorted(declared)}. Declare others under vars: in {PROJECT_FILE}."
            )
        _check_setting(name, setting)
    return json.dumps(given, default=str, ensure_ascii=False)


def _check_setting(name: str, setting: Any) -> None:
    for item in cast("list[Any]", setting) if isinstance(setting, list) else [setting]:
        plain = item is None or isinstance(item, bool | int | float | date)
        if not plain and not (isinstance(item, str) and _HARMLESS.fullmatch(item)):
            raise DbtArgumentError(
                f"dbt_args: --vars {name}: {str(item)[:40]!r} is not a valid value, because models"
                f" write it into SQL; expected a number, a date, or a text of {_ALLOWED}."
            )


def _mapping(option: str, value: str) -> dict[str, Any]:
    try:
        aliases = any(isinstance(token, yaml.AliasToken) for token in yaml.scan(value))
        found = None if aliases else yaml.safe_load(value)
        json.dumps(found, default=str)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DbtArgumentError(
            f"dbt_args: {option} {value[:40]!r} is not a valid mapping;"
            """ expected one such as '{"name": "value"}', without anchors."""
        )
    return cast("dict[str, Any]", found)


def _declared(project: Path) -> frozenset[str]:
    """Names below ``vars:``, those of a package included."""
    file = project / PROJECT_FILE
    document = yaml.safe_load(file.read_text()) if file.is_file() else None
    variables = cast("Mapping[str, Any]", (document or {}).get("vars") or {})
    packages = [each for each in variables.values() if isinstance(each, dict)]
    return frozenset(variables).union(*packages)


_CHECKS: dict[str, Callable[[str, str, Path], str]] = {
    "--threads": _threads,
    "--state": _inside,
    "--defer-state": _inside,
    "--vars": _variables,
    "--warn-error-options": _warn_error_options,
}
