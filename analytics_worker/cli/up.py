"""``analytics-worker up``: the whole stack in the foreground. `analytics_worker.stack.up` documents what it writes."""

import sys
from typing import Annotated

import typer

from analytics_worker.cli.definitions import DEFINITIONS
from analytics_worker.cli.errors import error_message
from analytics_worker.cli.shell import DEBUG, exit_on_error
from analytics_worker.log_format import use_log_format
from analytics_worker.stack.subreaper import run_under_subreaper


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

    def supervise() -> int:
        from analytics_worker.stack import up as stack  # noqa: PLC0415  # after the fork: the guardian stays small

        debug = DEBUG in sys.argv
        size = (sample_scale, sample_opportunities)
        options = stack.Options(pipeline, *size, DEFINITIONS, error_message, debug)
        with exit_on_error(debug=debug):
            use_log_format("up")
            return stack.supervise(options)
        return 1

    run_under_subreaper(supervise)
