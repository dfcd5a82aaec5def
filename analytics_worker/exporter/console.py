"""What the exporter has to say to whoever started it: one line on standard error each. Reads nothing."""

import sys

from analytics_worker.text import one_line

MAX_LINE = 2000


def log_line(line: str) -> None:
    """Say it now, not when a buffer is full."""
    sys.stderr.write(f"{one_line(line, MAX_LINE)}\n")
    sys.stderr.flush()
