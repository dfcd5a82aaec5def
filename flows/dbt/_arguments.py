"""Which of dbt's options a caller may pass, and what they become.

Reads and writes nothing. dbt's own parser sees the options again; here they are refused if they
would leave the project or take over what this worker owns: the subcommand, the folders, the output.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flows.dbt._option_values import DbtArgumentError, check_value

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
OWNED = {
    "--project-dir": "set DBT_PROJECT_PATH instead",
    "--profiles-dir": "set DBT_PROFILES_DIR instead",
    "--target-path": "every run has a target folder of its own",
    "--log-path": "dbt's log lines go to the log of the run",
    "--partial-parse-file-path": "the worker keeps it warm by itself",
    "--record-timing-info": "it writes outside the project",
    "-r": "it writes outside the project",
    "--write-json": "the results are read from there",
    "--no-write-json": "the results are read from there",
    "--upload-to-artifacts-ingest-api": "nothing is sent to dbt Labs",
    "--no-upload-to-artifacts-ingest-api": "nothing is sent to dbt Labs",
    "--send-anonymous-usage-stats": "nothing is sent to dbt Labs",
    "--no-send-anonymous-usage-stats": "nothing is sent to dbt Labs",
    "--sqlparse": "it lifts limits of dbt's parser",
    "--macro-debugging": "it is for a terminal",
    "--no-macro-debugging": "it is for a terminal",
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
        options: All but the lists, as dbt takes them.
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
    def selection(self) -> str:
        """What was asked for, in the words of the caller; empty means the whole project."""
        start = self.options.index("--selector") if "--selector" in self.options else None
        chosen = list(self.options[start : start + 2]) if start is not None else []
        lists = [part for option, values in self.lists.items() for part in (option, *values)]
        return " ".join(chosen + lists)


def check_arguments(command: str, arguments: Sequence[str], project: Path) -> Arguments:
    """The arguments for ``dbt <command>``: ``--models`` translated, lists merged.

    Raises:
        DbtArgumentError: one of them is another subcommand, owned by the worker, unknown, without
            its value, or with one that callers may not give.
    """
    options: list[str] = []
    lists: dict[str, list[str]] = {}
    rest = _split_equals(arguments)
    while rest:
        option = rest.pop(0)
        _refuse(command, option)
        if option in LISTS:
            lists.setdefault(LISTS[option], []).extend(_take_list(command, option, rest, project))
        elif option in SWITCHES:
            options.append(option)
        else:
            options += [option, _take_value(command, option, rest, project)]
    return Arguments(tuple(options), lists)


def _split_equals(arguments: Sequence[str]) -> list[str]:
    """``--select=a`` as two parts; ``--vars {"a": "b=c"}`` untouched."""
    parts: list[str] = []
    for argument in arguments:
        is_pair = argument.startswith("--") and "=" in argument
        parts += argument.split("=", 1) if is_pair else [argument]
    return parts


def _refuse(command: str, option: str) -> None:
    if option in OWNED:
        raise DbtArgumentError(f"dbt_args: {option} can't be set here: {OWNED[option]}.")
    if not option.startswith("-"):
        raise DbtArgumentError(
            f"dbt_args: {option[:60]!r} is no option. This flow runs `dbt {command}` and takes options"
            " only, such as --select staging kpis; other subcommands are not run."
        )
    if option not in LISTS and option not in VALUES | PATHS | SWITCHES:
        raise DbtArgumentError(
            f"dbt_args: `dbt {command}` has no option {option[:60]!r} here. Allowed are:"
            f" {', '.join(sorted(set(LISTS) | VALUES | PATHS | SWITCHES))}."
        )


def _take_list(command: str, option: str, rest: list[str], project: Path) -> list[str]:
    values: list[str] = []
    while rest and not rest[0].startswith("-"):
        values += check_value(option, rest.pop(0), project).split()
    if not values:
        raise DbtArgumentError(f"dbt_args: `dbt {command} {option}` needs at least one value.")
    return values


def _take_value(command: str, option: str, rest: list[str], project: Path) -> str:
    if not rest or rest[0].startswith("-"):
        raise DbtArgumentError(f"dbt_args: `dbt {command} {option}` needs a value.")
    return check_value(option, rest.pop(0), project)
