"""The supervisor of `analytics-worker up`: ``python -m analytics_worker.cli.supervisor OPTIONS PADDING WORD ...``.

A program of its own, so that the base process is forked from it and shares its modules, before it has read a setting or
started a thread. OPTIONS is JSON; the words are for people who read ps.
"""

import json
import os
import signal
import sys

from analytics_worker.cli.definitions import DEFINITIONS
from analytics_worker.cli.errors import error_message
from analytics_worker.cli.shell import exit_on_error
from analytics_worker.log_format import use_log_format
from analytics_worker.preload.command_line import show_command
from analytics_worker.stack.base_fork import fork_base_process
from analytics_worker.stack.guardian import FORWARDED
from analytics_worker.stack.options import Options
from analytics_worker.stack.up import supervise
from analytics_worker.stack_address import PROCESS_MARKER

WORDS = 3
"""Index of the first word for people."""


def main() -> int:
    """Fork the base process and run the stack; the exit code."""
    # It is for those who look at the processes; this one has yet to find out which stack runs here.
    os.environ.pop(PROCESS_MARKER)  # noqa: TID251
    base = fork_base_process()
    show_command(sys.argv[WORDS:])
    options = json.loads(sys.argv[1])
    with exit_on_error(debug=options["debug"]):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        use_log_format("up")
        return supervise(
            Options(**options, definitions=DEFINITIONS, error_text=error_message), base
        )


if __name__ == "__main__":
    sys.exit(main())
