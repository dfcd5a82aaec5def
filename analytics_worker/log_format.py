"""Make this process log as LOG_FORMAT says: text for people, or one JSON object per line.

Reads the setting; changes the handlers of `logging` and the standard streams. Safe to repeat: Prefect
configures its loggers again when it finds other settings.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TextIO

from analytics_worker.json_lines import (
    Fields,
    JsonConsole,
    JsonFormatter,
    JsonHandler,
    JsonStream,
    context_fields,
    identify,
    json_line,
    log_uncaught,
    write_line,
)
from analytics_worker.settings import settings


def _target() -> TextIO | None:
    """Return where a process that logs JSON writes it; kept in the stream, because modules may be imported again."""
    return getattr(sys.stderr, "json_target", None)


def use_log_format(process: str, **identity: object) -> None:
    """Log as LOG_FORMAT says, from now on and in processes that are forked from this one.

    Args:
        process: What this process is: worker, server, exporter, up, fork server.
        identity: What else every line names.

    Raises:
        InvalidSettingError: LOG_FORMAT, or another variable, is not valid.
    """
    if settings().log_format == "json":
        if not is_json():
            _replace_streams()
            context_fields.append(_of_run)
        identify(process=process, **identity)
        apply_to_handlers()


def is_json() -> bool:
    """Return whether this process logs JSON."""
    return _target() is not None


def apply_to_handlers() -> None:
    """Let every handler that writes to a stream or a file write JSON, if this process does."""
    target = _target()
    if target is None:
        return
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(JsonHandler(target))
    for handler in _handlers():
        if getattr(handler.stream, "json_target", None):
            setattr(handler, "stream", target)  # noqa: B010  # made after the streams were replaced
        if hasattr(handler, "console"):
            setattr(handler, "console", JsonConsole(target))  # noqa: B010  # rich's
        handler.setFormatter(JsonFormatter())


def emit(level: str, logger: str, message: str, **fields: object) -> None:
    """Write a line of a process that logs JSON."""
    write_line(_target() or sys.stderr, json_line(level, logger, message, **fields))


def inform(logger: str, message: str) -> None:
    """Write a line about what this process does, for people or as JSON; without it if there is no room."""
    if is_json():
        emit("INFO", logger, message)
        return
    with suppress(OSError):
        sys.stdout.write(f"{message}\n")
        sys.stdout.flush()


def report_uncaught() -> None:
    """Report the error that is being handled: a traceback, or one line of JSON."""
    kind, error, trace = sys.exc_info()
    if kind is not None and error is not None and is_json():
        sys.excepthook(kind, error, trace)
    else:
        traceback.print_exc()


def finish_streams() -> None:
    """Write what was printed without a line end."""
    for stream in (sys.stdout, sys.stderr):
        finish = getattr(stream, "finish", None)
        if finish is not None:
            finish()


def restore_streams() -> None:
    """Give a process that becomes another program the usual streams."""
    if is_json():
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def _replace_streams() -> None:
    target = sys.stderr
    sys.stdout = JsonStream("stdout", sys.stdout, target)
    sys.stderr = JsonStream("stderr", target, target)
    log_uncaught(target)


def _handlers() -> Iterator[Any]:
    """Yield the handlers of all loggers that write text: those of Prefect's API take records."""
    loggers = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    for logger in [logging.getLogger(), *loggers]:
        yield from (h for h in logger.handlers if isinstance(h, logging.StreamHandler))


def _of_run() -> Fields:
    """Return what Prefect knows of the run that this thread works for, if it was imported."""
    module = sys.modules.get("prefect.context")
    if module is None:
        return {}
    flow, task = module.FlowRunContext.get(), module.TaskRunContext.get()
    run, task_run = getattr(flow, "flow_run", None), getattr(task, "task_run", None)
    return {
        "flow_run_id": run and str(run.id),
        "flow_run_name": run and run.name,
        "flow_name": flow and flow.flow and flow.flow.name,
        "task_run_id": task_run and str(task_run.id),
        "task_run_name": task_run and task_run.name,
    }
