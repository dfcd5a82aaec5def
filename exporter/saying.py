"""What the exporter has to say to whoever started it: one line on standard error each. Reads nothing."""

import sys


def say(line: str) -> None:
    """Say it now, not when a buffer is full."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
