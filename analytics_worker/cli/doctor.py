"""``analytics-worker doctor``: what is wrong, and what to do about it. Reads only."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from analytics_worker.settings import settings

if TYPE_CHECKING:
    from analytics_worker.doctor import Finding, Level

STYLES: "dict[Level, str]" = {"ok": "green", "warn": "yellow", "fail": "bold red"}
WORDS: "dict[Level, str]" = {"ok": "ok", "warn": "to look at", "fail": "failed"}


def doctor(
    all: Annotated[  # noqa: A002  # the option's name
        bool, typer.Option("--all/--problems", help="Show what is fine, too, or only problems.")
    ] = True,
) -> None:
    """Look over versions, settings, permissions, ports, clocks, disks, sizes, schedules; 1 if one fails.

    The worst comes last, where it is seen first.
    """
    settings()  # an invalid variable is the only finding
    from analytics_worker.doctor import run_checks  # noqa: PLC0415  # Prefect reads the chosen address
    from analytics_worker.stack.terminal import Terminal  # noqa: PLC0415  # --help answers at once

    terminal = Terminal()
    with terminal.doing("doctor", "looking over everything"):
        findings = list(run_checks())
    shown = [finding for finding in findings if all or finding.level != "ok"]
    if shown:
        columns = ("", "area", "what", "found", "what to do")
        rows = _rows(shown)
        terminal.table("Doctor", columns, rows, long="what to do", named="what")
        terminal.console.print()
    counted: Counter[Level] = Counter(finding.level for finding in findings)
    terminal.console.print(_summary(counted))
    if counted["fail"]:
        raise typer.Exit(1)


def _rows(findings: "list[Finding]") -> list[tuple[str, ...]]:
    """Rows of the table, the worst last."""
    from rich.markup import escape  # noqa: PLC0415  # --help answers at once

    return [
        (
            f"[{STYLES[finding.level]}]{finding.level}[/]",
            finding.area,
            escape(finding.name),
            escape(finding.message),
            escape(finding.fix),
        )
        for finding in sorted(findings, key=lambda finding: list(STYLES).index(finding.level))
    ]


def _summary(counted: "Counter[Level]") -> str:
    """How many findings each level has."""
    return ", ".join(
        f"[{STYLES[level]}]{counted[level]} {word}[/]" if counted[level] else f"0 {word}"
        for level, word in WORDS.items()
    )
