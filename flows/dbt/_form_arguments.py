"""The parameters of the form of `run_dbt_models`, as options of dbt. Reads nothing, writes nothing."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from analytics_worker.prefect_support.parameter_forms import listed_or_none
from flows.dbt._option_values import DbtArgumentError

_NAME = r"^\s*[^-\s]"
"""Of dbt's syntax of selections; what begins with a dash would be another option."""

Selection = Annotated[
    list[str] | None,
    listed_or_none("These", "All", ["staging", "+pipeline_kpis"], pattern=_NAME),
]
Exclusion = Annotated[
    list[str] | None, listed_or_none("These", "None", ["tag:slow"], pattern=_NAME)
]
Options = Annotated[
    list[str] | None,
    listed_or_none("Options", "None", ["--models", "staging", "kpis"], pattern=""),
]


def form_arguments(
    select: Sequence[str] | None, exclude: Sequence[str] | None, *, full_refresh: bool
) -> list[str]:
    """Return the options that the parameters stand for.

    Raises:
        DbtArgumentError: a name is empty or begins with a dash; names all of them.
    """
    problems = [*_problems("select", select or []), *_problems("exclude", exclude or [])]
    if problems:
        raise DbtArgumentError("; ".join(problems))
    return [
        *(["--select", *select] if select else []),
        *(["--exclude", *exclude] if exclude else []),
        *(["--full-refresh"] if full_refresh else []),
    ]


def _problems(parameter: str, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if not name.strip() or name.lstrip().startswith("-"):
            expected = "expected a model, folder, tag or path, such as staging or +pipeline_kpis"
            yield f"{parameter}: {name[:60]!r} is not a valid selection; {expected}"
