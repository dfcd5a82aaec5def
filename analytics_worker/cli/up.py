"""``analytics-worker up``: the whole stack in the foreground. `analytics_worker.stack.up` documents what it writes."""

import json
import os
import sys
from typing import Annotated, Any

import typer

from analytics_worker.cli.shell import DEBUG
from analytics_worker.preload.command_line import PADDING
from analytics_worker.stack.subreaper import run_under_subreaper
from analytics_worker.stack_address import PROCESS_MARKER, new_marker

SUPERVISOR = "analytics_worker.cli.supervisor"


def up(
    pipeline: Annotated[bool, typer.Option(help="Run the pipeline once at the start.")] = True,
    sample_scale: Annotated[
        float, typer.Option(help="Size of the sample warehouse; 1 is 50,000 opportunities.")
    ] = 1.0,
    sample_opportunities: Annotated[
        int | None, typer.Option(help="Size of the sample warehouse in opportunities.")
    ] = None,
) -> None:
    """Start the whole worker, run its pipeline once, and stay up; Ctrl-C stops everything."""
    options: dict[str, Any] = {
        "pipeline": pipeline,
        "sample_scale": sample_scale,
        "sample_opportunities": sample_opportunities,
        "debug": DEBUG in sys.argv,
        "marker": new_marker(),
    }
    # Where the modules are found by the working directory, they are found there again.
    safe_path = ["-P"] if {"", os.getcwd()}.isdisjoint(sys.path) else []  # noqa: PTH109  # a text, as in sys.path
    program = [sys.executable, *safe_path, "-m", SUPERVISOR, json.dumps(options), PADDING]
    run_under_subreaper([*program, *sys.argv], {PROCESS_MARKER: options["marker"]})
