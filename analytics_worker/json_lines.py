"""Write log records and printed lines as JSON: one object per line on standard error.

Reads nothing but the run that this process executes. Every text is hostile: control characters and lone
surrogates become visible, line ends stay inside of the JSON, and a line is never longer than `LINE_BYTES`,
because runtimes of containers split longer ones. Imports only the standard library.
"""

import io
import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from typing_extensions import override

from analytics_worker.text import one_line, printable

LINE_BYTES = 16_000
MESSAGE_BYTES, EXCEPTION_BYTES, FIELD_BYTES = 5_000, 5_000, 400
OF_RECORDS = (
    *("flow_run_id", "flow_run_name", "flow_name", "task_run_id", "task_run_name"),
    *("task_name", "worker_name", "work_pool_name"),
)
"""What Prefect's loggers add to a record."""
UNKNOWN = "<unknown>"
Fields = Mapping[str, object]

process_fields: dict[str, object] = {}
"""What every line of this process names: see `identify`."""
context_fields: list[Callable[[], Fields]] = []
"""What the line's asyncio task or thread adds."""


def identify(**fields: object) -> None:
    """Name this process in every later line: ``process``, ``worker_name``, ``flow_run_id`` and so on."""
    process_fields.update({name: value for name, value in fields.items() if value})


def json_line(level: str, logger: str, message: str, **fields: object) -> str:
    """Return one line without its end: fields of no value are left out."""
    line: dict[str, object] = {
        "time": _iso(datetime.now(UTC)),
        "level": level,
        "logger": one_line(logger),
        "message": bounded(message, MESSAGE_BYTES),
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }
    known = {**process_fields, **_of_context(), **fields}
    line |= {
        name: _value(name, value)
        for name, value in known.items()
        if value is not None and value != ""
    }
    return json.dumps(line)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")


def _of_context() -> dict[str, object]:
    return {name: value for source in context_fields for name, value in source().items() if value}


def _value(name: str, value: object) -> object:
    return bounded(str(value), EXCEPTION_BYTES if name == "exception" else FIELD_BYTES)


def message_of_line(line: str) -> str:
    """Return the message of a line of JSON; any other line as it is."""
    try:
        return str(json.loads(line)["message"]) if line.startswith("{") else line
    except (ValueError, KeyError):
        return line


def bounded(text: str, limit: int) -> str:
    """Return the beginning of the text that takes at most so many bytes of JSON, printable."""
    length = len(text)
    text = printable(text[:limit])
    if length <= limit and len(json.dumps(text)) <= limit:
        return text
    end = f"… ({length} characters)"
    room = limit - 2 * len(json.dumps(end))
    while (size := len(json.dumps(text))) > room:
        text = text[: len(text) * room // size - 1] if size > room + 1 else text[:-1]
    return text + end


def bounded_end(text: str, limit: int) -> str:
    """Return the end of the text, which has the error of a traceback."""
    if len(text) <= limit and len(json.dumps(printable(text))) <= limit:
        return printable(text)
    return bounded(text[-limit:][::-1], limit).partition("… (")[0][::-1]


class JsonFormatter(logging.Formatter):
    """Format a record as one line of JSON."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        fields = {name: getattr(record, name, None) for name in OF_RECORDS}
        known = {name: value for name, value in fields.items() if value and value != UNKNOWN}
        if exception := self._exception(record):
            known["exception"] = bounded_end(exception, EXCEPTION_BYTES)
        known["time"] = _iso(datetime.fromtimestamp(record.created, UTC))
        return json_line(record.levelname, record.name, message_of(record), **known)

    def _exception(self, record: logging.LogRecord) -> str:
        error = self.formatException(record.exc_info) if record.exc_info else record.exc_text
        return "\n".join(filter(None, (error, record.stack_info)))


def message_of(record: logging.LogRecord) -> str:
    """Return the message; a record whose arguments do not fit its text is no reason to lose it."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # arguments are objects of anyone
        return str(record.msg)


def write_line(stream: TextIO, line: str) -> None:
    """Write a line at once, so that lines of several processes do not mix; a reader that has ended is ignored."""
    data = f"{line}\n".encode()
    try:
        stream.flush()
        descriptor = stream.fileno()
        while data:
            data = data[os.write(descriptor, data) :]
    except io.UnsupportedOperation:  # a stream in memory
        stream.write(data.decode())
    except (OSError, ValueError):
        return


class JsonConsole:
    """What a handler of Prefect prints to, in the place of rich's console, which wraps and colors lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def print(self, line: str, **_options: Any) -> None:
        """Write a line."""
        write_line(self._stream, line)


class JsonHandler(logging.Handler):
    """Write records to a stream."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self.setFormatter(JsonFormatter())

    @override
    def emit(self, record: logging.LogRecord) -> None:
        write_line(self._stream, self.format(record))


class JsonStream(io.TextIOBase):
    """A standard stream of Python that makes one JSON object of each line printed to it.

    Args:
        name: ``stdout`` or ``stderr``: the logger of the lines.
        own: The stream whose descriptor and other attributes it has.
        target: The stream that gets the lines.

    Attributes:
        json_target: The same.
    """

    def __init__(self, name: str, own: TextIO, target: TextIO) -> None:
        super().__init__()
        self._name = name
        self._own = own
        self.json_target = target
        self._unfinished = ""
        self._lock = threading.RLock()

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Any text can be printed."""
        return "utf-8"

    @override
    def write(self, text: str, /) -> int:
        with self._lock:
            *lines, self._unfinished = (self._unfinished + text).split("\n")
            if len(self._unfinished) > LINE_BYTES:
                lines, self._unfinished = [*lines, self._unfinished], ""
        for line in lines:
            self._emit(line)
        return len(text)

    def finish(self) -> None:
        """Write what was printed without a line end."""
        with self._lock:
            line, self._unfinished = self._unfinished, ""
        self._emit(line)

    def _emit(self, line: str) -> None:
        if line.strip():
            usual = "INFO" if self._name == "stdout" else "WARNING"
            level = "ERROR" if line.startswith("error: ") else usual
            write_line(self.json_target, json_line(level, self._name, line.removeprefix("error: ")))

    @override
    def fileno(self) -> int:
        return self._own.fileno()

    @override
    def isatty(self) -> bool:
        return False

    @override
    def writable(self) -> bool:
        return True


def log_uncaught(stream: TextIO) -> None:
    """Write each uncaught error as one line with its traceback."""
    formatter = JsonFormatter()

    def write(logger: str, error: BaseException | None, message: str) -> None:
        trace = error and (type(error), error, error.__traceback__)
        text = f"{message}: {type(error).__name__}: {error}" if error else message
        record = logging.LogRecord(logger, logging.ERROR, "", 0, "%s", (text,), trace)
        write_line(stream, formatter.format(record))

    def of_program(kind: type[BaseException], error: BaseException, _trace: Any) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            write("python", error, "uncaught")

    def of_thread(hook: threading.ExceptHookArgs) -> None:
        name = hook.thread.name if hook.thread else "a thread"
        write("python", hook.exc_value, f"uncaught in {name}")

    sys.excepthook = of_program
    threading.excepthook = of_thread
    sys.unraisablehook = lambda hook: write("python", hook.exc_value, hook.err_msg or "ignored")
