"""Name the variables of ``.env`` that nothing reads, each with the nearest known one.

Reads the lists of variables that the installed dbt and Prefect know, where one of theirs is to be compared.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

ALIKE = 0.8
"""The similarity from which an unknown variable is taken for a misspelled one."""
ALIKE_IN_FAMILY = 0.6
ALIKE_FOREIGN, ALIKE_RENAMED = 0.85, 0.9
FOREIGN_FAMILIES = frozenset({"OTEL", "PG"})
"""Their variables are others' to define; a misspelled one is not recognized."""
OF_PROFILES = ("HOST", "PORT", "USER", "DBNAME", "SSLMODE", "ENV_SECRET_PASSWORD")
"""The variables that the worker sets for profiles.yml."""
OTHER_WORDS = {
    "METRIC": "PROMETHEUS",
    "METRICS": "PROMETHEUS",
    "SMTP": "ALERT_EMAIL",
    "MAIL": "ALERT_EMAIL",
    "EMAIL": "ALERT_EMAIL",
    "SLACK": "ALERT_SLACK",
}
"""What other programs call a family of the worker's settings."""


def unknown_variables(names: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """Yield a line for each unknown variable that looks like a setting of the worker, dbt or Prefect.

    Foreign variables, which resemble none, may be in the file for other programs.
    """
    settings = {name.upper() for name in known}
    for name in names:
        family = name.upper().partition("_")[0]
        if name.upper() in settings or family in FOREIGN_FAMILIES:
            continue
        if family in LISTS:
            yield from _unknown_of_library(name, family, settings)
        else:
            yield from _unknown_of_worker(name, family, settings)


def _unknown_of_worker(name: str, family: str, settings: set[str]) -> Iterator[str]:
    families = {name.partition("_")[0] for name in settings}
    upper = name.upper()
    cutoff = ALIKE_IN_FAMILY if family in families else ALIKE
    if family in OTHER_WORDS:
        upper, cutoff = upper.replace(family, OTHER_WORDS[family], 1), ALIKE_RENAMED
    close = _nearest(upper, settings, cutoff)
    if close:
        yield f"{name} is not a variable of the worker; did you mean {close}?"
    elif family in families:
        yield f"{name} is not a variable of the worker (docs/settings.md)"


def _unknown_of_library(name: str, family: str, settings: set[str]) -> Iterator[str]:
    """Yield a line for a misspelled variable; a project may read others of its own in env_var()."""
    library, variables = LISTS[family]
    known = variables()
    close = _nearest(name.upper(), settings | known, ALIKE_FOREIGN)
    if close and name not in known:
        yield f"{name} is not a variable of the worker or of {library}; did you mean {close}?"


def _nearest(name: str, known: Iterable[str], cutoff: float) -> str | None:
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=cutoff)), None)


def _of_dbt() -> set[str]:
    """Read the sources of dbt, whose import takes seconds and tens of megabytes."""
    spec = find_spec("dbt")
    folders = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
    files = [folder / name for folder in folders for name in ("cli/params.py", "env_vars.py")]
    texts = [file.read_text() for file in files if file.is_file()]
    names = {name for text in texts for name in re.findall(r'"DBT_(?:ENGINE_)?(\w+)"', text)}
    ours = {f"DBT_{name}" for name in OF_PROFILES}
    return ours | {f"{prefix}{name}" for name in names for prefix in ("DBT_", "DBT_ENGINE_")}


def _of_prefect() -> set[str]:
    from prefect.settings import Settings  # noqa: PLC0415  # takes a second
    from prefect.settings.legacy import (  # noqa: PLC0415
        _get_valid_setting_names,  # pyright: ignore[reportPrivateUsage]  # no public list has the old names
    )

    return set(_get_valid_setting_names(Settings))


LISTS: Mapping[str, tuple[str, Callable[[], set[str]]]] = {
    "DBT": ("dbt", _of_dbt),
    "PREFECT": ("Prefect", _of_prefect),
}
"""By the start of their names: the library, and the variables that it knows."""
