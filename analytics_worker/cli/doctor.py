"""``analytics-worker doctor``: what is wrong, and what to do about it. Reads only."""

from collections import Counter
from typing import Annotated

import typer

from analytics_worker.settings import settings


def doctor(
    all: Annotated[  # noqa: A002  # the option's name
        bool, typer.Option("--all/--problems", help="Show what is fine, too, or only problems.")
    ] = True,
) -> None:
    """Look over versions, settings, permissions, ports, clocks, disks, sizes, schedules; 1 if one fails.

    The worst comes last, where it is seen first.
    """
    settings()  # an invalid variable is the only finding
    from rich.markup import escape  # noqa: PLC0415  # --help answers at once

    from analytics_worker.doctor import Level, run_checks  # noqa: PLC0415  # Prefect reads the chosen address
    from analytics_worker.stack.terminal import Terminal  # noqa: PLC0415

    styles: dict[Level, str] = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    terminal = Terminal()
    with terminal.doing("doctor", "looking over everything"):
        findings = list(run_checks())
    counted = Counter(finding.level for finding in findings)
    rows = [
        (
            f"[{styles[finding.level]}]{finding.level}[/]",
            finding.area,
            escape(finding.name),
            escape(finding.message),
            escape(finding.fix),
        )
        for finding in sorted(findings, key=lambda finding: list(styles).index(finding.level))
        if all or finding.level != "ok"
    ]
    if rows:
        columns = ("", "area", "what", "found", "what to do")
        terminal.table("Doctor", columns, rows, long="what to do", named="what")
        terminal.console.print()
    words: dict[Level, str] = {"ok": "ok", "warn": "to look at", "fail": "failed"}
    said = [
        f"[{styles[level]}]{counted[level]} {word}[/]" if counted[level] else f"0 {word}"
        for level, word in words.items()
    ]
    terminal.console.print(", ".join(said))
    if counted["fail"]:
        raise typer.Exit(1)
