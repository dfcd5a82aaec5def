"""Log lines of the exporter, on standard error. Reads nothing."""

import sys

from analytics_worker import log_format
from analytics_worker.text import one_line

MAX_LINE = 2000


def log_line(line: str) -> None:
    """Write a line to stderr and flush."""
    if log_format.is_json():
        log_format.emit("WARNING", "exporter", line)
        return
    sys.stderr.write(f"{one_line(line, MAX_LINE)}\n")
    sys.stderr.flush()
