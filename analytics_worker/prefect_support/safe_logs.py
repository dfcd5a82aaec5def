"""Prevent values in log records from forging other records or controlling the terminal.

Changes the formatters of Prefect's console handlers, whose output goes to a terminal or to a file. Terminal
escapes become visible, and every line of a record but its first is indented, so that no value can start a
line that looks like a record. Records that go to the API stay unchanged: the UI shows them as text. Safe to
repeat: a formatter is wrapped once.
"""

import logging
from collections.abc import Iterator

from prefect.logging.handlers import PrefectConsoleHandler

from analytics_worker.log_format import apply_to_handlers, is_json
from analytics_worker.text import printable

INDENT = "    "


class SafeFormatter(logging.Formatter):
    """A formatter that makes the output of another one safe."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text: printable, and indented from its second line."""
        return printable(self._formatter.format(record)).replace("\n", f"\n{INDENT}")


def protect_logs() -> None:
    """Wrap the formatter of each of Prefect's console handlers that is in use now; JSON is safe as it is."""
    if is_json():
        apply_to_handlers()
        return
    for handler in _handlers():
        formatter = handler.formatter or logging.Formatter()
        if not isinstance(formatter, SafeFormatter):
            handler.setFormatter(SafeFormatter(formatter))


def _handlers() -> Iterator[logging.Handler]:
    loggers = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    for logger in [logging.getLogger(), *loggers]:
        yield from (h for h in logger.handlers if isinstance(h, PrefectConsoleHandler))
