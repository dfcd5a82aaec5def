"""Check the dbt options that a caller passes.

Reads and writes nothing. dbt parses the options again. Options are rejected here if they leave the
project or change what the worker controls: the subcommand, the folders, the output.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from analytics_worker.definitions.request_problems import RequestProblems
from analytics_worker.text import one_line
from flows.dbt._command_options import command_options
from flows.dbt._defined_names import check_defined
from flows.dbt._option_values import DbtArgumentError, check_value, nearest_first
from flows.dbt.state.comparison import check_state

LISTS = {
    "--select": "--select",
    "-s": "--select",
    "--models": "--select",
    "--model": "--select",
    "-m": "--select",
    "--exclude": "--exclude",
    "--resource-type": "--resource-type",
    "--resource-types": "--resource-type",
    "--exclude-resource-type": "--exclude-resource-type",
    "--exclude-resource-types": "--exclude-resource-type",
}
VALUES = frozenset({
    "--event-time-end", "--event-time-start", "--indirect-selection", "--printer-width", "--profile",
    "--sample", "--selector", "--target", "-t", "--threads", "--vars",
    "--warn-error-options",
})  # fmt: skip
PATHS = frozenset({"--state", "--defer-state"})
SWITCHES = frozenset({
    "--cache-selected-only", "--no-cache-selected-only", "--debug", "-d", "--no-debug", "--defer",
    "--no-defer", "--empty", "--no-empty", "--fail-fast", "-x", "--no-fail-fast", "--favor-state",
    "--no-favor-state", "--full-refresh", "-f", "--log-cache-events", "--no-log-cache-events",
    "--partial-parse", "--no-partial-parse",
    "--partial-parse-file-diff", "--no-partial-parse-file-diff", "--populate-cache",
    "--no-populate-cache", "--print", "--no-print", "--quiet", "-q", "--no-quiet",
    "--show-all-deprecations", "--no-show-all-deprecations", "--single-threaded",
    "--no-single-threaded", "--static-parser", "--no-static-parser", "--store-failures",
    "--use-experimental-parser", "--no-use-experimental-parser", "--use-fast-test-edges",
    "--no-use-fast-test-edges", "--version-check", "--no-version-check", "--warn-error",
})  # fmt: skip
RETRY_VALUES = frozenset({
    "--vars", "--profile", "--target", "-t", "--threads", "--warn-error-options", "--defer-state",
})  # fmt: skip
RETRY_SWITCHES = frozenset({"--warn-error"})
WORKER_OPTIONS = {
    "--project-dir": "set DBT_PROJECT_PATH instead",
    "--profiles-dir": "set DBT_PROFILES_DIR instead",
    "--target-path": "every run has its own target folder",
    "--log-path": "dbt's log lines go to the log of the run",
    "--partial-parse-file-path": "the worker manages it",
    "--record-timing-info": "it writes outside the project",
    "-r": "it writes outside the project",
    "--write-json": "the results are read from there",
    "--no-write-json": "the results are read from there",
    "--upload-to-artifacts-ingest-api": "nothing is sent to dbt Labs",
    "--no-upload-to-artifacts-ingest-api": "nothing is sent to dbt Labs",
    "--send-anonymous-usage-stats": "nothing is sent to dbt Labs",
    "--no-send-anonymous-usage-stats": "nothing is sent to dbt Labs",
    "--sqlparse": "it lifts limits of dbt's parser",
    "--macro-debugging": "it is for terminals",
    "--no-macro-debugging": "it is for terminals",
    "--version": "it runs nothing",
    "-V": "it runs nothing",
    "-v": "it runs nothing",
    "--help": "it runs nothing",
    "-h": "it runs nothing",
} | {
    f"--{name}": "dbt's log lines go to the log of the run"
    for name in (
        "log-file-max-bytes", "log-format", "log-format-file", "log-level", "log-level-file",
        "use-colors", "no-use-colors", "use-colors-file", "no-use-colors-file",
    )
}  # fmt: skip


@dataclass(frozen=True)
class Arguments:
    """Checked options of one dbt command.

    Attributes:
        options: All options except the lists, as dbt expects them.
        lists: ``--select``, ``--exclude`` and the resource types, each merged into one union.
    """

    options: tuple[str, ...] = ()
    lists: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @property
    def argv(self) -> list[str]:
        """Everything after the subcommand."""
        lists = [part for option, values in self.lists.items() for part in (option, *values)]
        return [*self.options, *lists]

    @property
    def repeated(self) -> list[str]:
        """The options that ``dbt retry`` needs again, because it reads the project before its state."""
        pairs = zip(self.options, (*self.options[1:], ""), strict=False)
        return [
            part
            for option, value in pairs
            if option in RETRY_VALUES | RETRY_SWITCHES
            for part in ((option, value) if option in RETRY_VALUES else (option,))
        ]

    def usage_error(self, error: str) -> str:
        """Return dbt's error about an option with the name of that option, which dbt leaves out."""
        value = re.match(r"'(.*?)' (?:is|does) not ", error)
        values = {value: f" {option}" for option, value in pairwise(self.argv)}
        return f"dbt_args:{values.get(value[1], '') if value else ''} {one_line(error)}"

    @property
    def target(self) -> str | None:
        """The target of profiles.yml that the caller chose."""
        options = dict(pairwise(self.options))
        return options.get("--target", options.get("-t"))

    @property
    def selector(self) -> str:
        """The name of the selector of selectors.yml; empty without one."""
        return dict(pairwise(self.options)).get("--selector", "")

    @property
    def selection(self) -> str:
        """The selection as the caller wrote it; empty for the whole project."""
        chosen = ["--selector", self.selector] if self.selector else []
        lists = [part for option, values in self.lists.items() for part in (option, *values)]
        return " ".join(chosen + lists)


def check_arguments(command: str, arguments: Sequence[str], project: Path) -> Arguments:
    """Return the arguments for ``dbt <command>``, with ``--models`` translated and lists merged.

    Raises:
        DbtArgumentError: arguments are another subcommand, options of the worker, unknown, or
            have a missing or invalid value; names all of them.
        NoStateError: there is nothing to compare with.
    """
    options: list[str] = []
    lists: dict[str, list[str]] = {}
    problems = RequestProblems(DbtArgumentError)
    rest = _split_equals(arguments)
    while rest:
        read = problems.checked("dbt_args", _read_option, command, rest, options, lists, project)
        while not read and rest and not rest[0].startswith("-"):
            rest.pop(0)  # the values of an option that is refused
    problems.checked("dbt_args", check_defined, options, project)
    problems.raise_any()
    check_state(options, lists, project)
    return Arguments(tuple(options), lists)


def _read_option(
    command: str, rest: list[str], options: list[str], lists: dict[str, list[str]], project: Path
) -> bool:
    """Move the first option and its values from the rest to the options or the lists."""
    option = rest.pop(0)
    _check_option(command, option)
    if option in LISTS:
        lists.setdefault(LISTS[option], []).extend(_pop_list(command, option, rest, project))
    elif option in SWITCHES:
        options.append(option)
    else:
        options += [option, _pop_value(command, option, rest, project)]
    return True


def _split_equals(arguments: Sequence[str]) -> list[str]:
    """Split ``--select=a`` into two parts; leave ``--vars {"a": "b=c"}`` unchanged."""
    parts: list[str] = []
    for argument in arguments:
        is_pair = argument.startswith("--") and "=" in argument
        parts += argument.split("=", 1) if is_pair else [argument]
    return parts


def _check_option(command: str, option: str) -> None:
    if option in WORKER_OPTIONS:
        raise DbtArgumentError(f"dbt_args: {option} can't be set here: {WORKER_OPTIONS[option]}.")
    if not option.startswith("-"):
        raise DbtArgumentError(
            f"dbt_args: {option[:60]!r} is not a valid option. This flow runs `dbt {command}`; expected"
            " options such as --select staging kpis."
        )
    allowed = _allowed(command)
    if option not in allowed:
        is_known = option in command_options(command)
        problem = f"{'' if is_known else 'not '}a valid option of `dbt {command}`"
        problem += ", but callers can't pass it here" if is_known else ""
        raise DbtArgumentError(
            f"dbt_args: {option[:60]!r} is {problem}; expected one of:"
            f" {nearest_first(option, allowed, ' (`dbt --help` lists them)')}."
        )


def _allowed(command: str) -> set[str]:
    """Return the options that callers may pass and that the command of the installed dbt has."""
    installed = command_options(command)
    return {option for option in VALUES | PATHS | SWITCHES if option in installed} | {
        spelling for spelling, option in LISTS.items() if option in installed
    }


def _pop_list(command: str, option: str, rest: list[str], project: Path) -> list[str]:
    values: list[str] = []
    while rest and not rest[0].startswith("-"):
        values += check_value(option, rest.pop(0), project).split()
    if not values:
        raise DbtArgumentError(f"dbt_args: `dbt {command} {option}` needs at least one value.")
    return values


def _pop_value(command: str, option: str, rest: list[str], project: Path) -> str:
    if not rest or rest[0].startswith("-"):
        raise DbtArgumentError(f"dbt_args: `dbt {command} {option}` needs a value.")
    return check_value(option, rest.pop(0), project)


def typed_arguments(
    command: str,
    project: Path,
    *,
    target: str | None,
    variables: Mapping[str, Any] | None,
    select: Sequence[str] | None,
) -> Arguments:
    """Return the arguments of a flow with typed parameters, with the checks of `check_arguments`.

    Raises:
        DbtArgumentError: a value is not valid.
    """
    given = [
        *(["--target", target] if target else []),
        *(["--vars", json.dumps(dict(variables), default=str)] if variables else []),
        *(["--select", *select] if select else []),
    ]
    try:
        return check_arguments(command, given, project)
    except DbtArgumentError as error:  # its parameters are named like the options
        raise DbtArgumentError(str(error).replace("dbt_args: --", "")) from None
