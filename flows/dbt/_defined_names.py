"""Check that profiles.yml and selectors.yml define the profile, target and selector that a caller names.

Reads these files; writes nothing. dbt renders them: names that only dbt can know are left to dbt.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import yaml

from analytics_worker.settings import settings
from flows.dbt._option_values import PROJECT_FILE, DbtArgumentError, nearest_first

TARGET = ("--target", "-t")


def check_defined(options: Sequence[str], project: Path) -> None:
    """Check the values of ``--profile``, ``--target`` and ``--selector``.

    Raises:
        DbtArgumentError: a file does not define the name; the message lists the defined ones.
    """
    values = dict(pairwise(options))
    profiles = _read(settings().profiles_dir / "profiles.yml")
    profile = values.get("--profile")
    if profile is not None:
        known = [name for name in profiles if name != "config"]
        _check("--profile", profile, known, "a profile of profiles.yml")
    name = str(profile or _read(project / PROJECT_FILE).get("profile"))
    for option in TARGET:
        if option in values:
            targets = _mapping(_mapping(profiles.get(name)).get("outputs"))
            _check(option, values[option], targets, f"a target of the profile {name!r}")
    if "--selector" in values:
        file = project / "selectors.yml"
        defined = _read(file).get("selectors") or []
        names = [str(_mapping(each).get("name")) for each in defined]
        if not names and not file.is_file():
            raise DbtArgumentError(
                f"dbt_args: --selector {values['--selector'][:40]!r} is not defined: the dbt project has no"
                " selectors.yml; expected --select instead."
            )
        _check("--selector", values["--selector"], names, "a selector of selectors.yml")


def _check(option: str, value: str, known: Iterable[object], kind: str) -> None:
    names = [str(name) for name in known]
    if not names or value in names or any("{{" in name for name in names):
        return
    raise DbtArgumentError(
        f"dbt_args: {option} {value[:40]!r} is not {kind}; expected one of: {nearest_first(value, names)}."
    )


def _read(file: Path) -> dict[str, Any]:
    """Return the document of a file; empty if it is missing or not valid, which dbt reports."""
    try:
        return _mapping(yaml.safe_load(file.read_text("utf-8")))
    except (OSError, ValueError, yaml.YAMLError):
        return {}


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
