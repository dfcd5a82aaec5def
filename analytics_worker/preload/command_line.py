"""Show what a forked process does in its command line, where ps and pgrep look. Changes this process's own memory only."""

import ctypes
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PADDING = "." * 1500
"""An argument that makes room: the kernel shows what stands where the first command line stood."""
ARG_START, ARG_END = 47, 48
"""Fields of /proc/PID/stat, counted from 0."""


def show_command(words: Sequence[str]) -> None:
    """Replace the command line of this process; a longer one is cut off."""
    with suppress(OSError, ValueError, IndexError):  # it is there for people only
        start, end = _bounds()
        room = end - start
        if start <= 0 or room < len(PADDING):
            return
        text = " ".join(words).encode()[: room - 2]
        # A last byte that is not zero makes the kernel read the line as text up to the first zero.
        ctypes.memmove(start, text.ljust(room - 1, b"\0") + b"x", room)


def _bounds() -> tuple[int, int]:
    text = Path("/proc/self/stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()
    return int(fields[ARG_START - 2]), int(fields[ARG_END - 2])
