"""Trace runs with OpenTelemetry: run, task and SQL statement, sent to OTEL_EXPORTER_OTLP_ENDPOINT.

Reads the OTEL_… variables. Prefect makes the spans of runs and tasks, this module those of statements, without any
value of them. Imports nothing and costs nothing unless an endpoint is set. A collector that is unavailable or slow
delays the end of a run's process by at most `FLUSH_SECONDS`, and no state of a run.
"""

import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from analytics_worker.database.sql_text import without_literals
from analytics_worker.errors import sqlstate
from analytics_worker.settings import otel_variables
from analytics_worker.telemetry import operation
from analytics_worker.text import one_line

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"
PACKAGE = "opentelemetry.exporter.otlp.proto.http"
MODULES = (
    "opentelemetry.sdk.trace.export",
    f"{PACKAGE}.trace_exporter",
    "analytics_worker.trace_exporter",
)
"""What a run needs to send traces."""
FLUSH_SECONDS = 1.0

SDK = "opentelemetry.sdk.trace"

_log = logging.getLogger(__name__)


def is_wanted() -> bool:
    """Whether the variables name a collector, and do not turn traces off."""
    variables = otel_variables()
    off = variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return any(map(variables.get, ENDPOINTS)) and not (
        off or variables.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none"
    )


def tracing_problem() -> str | None:
    """Return why no traces are sent although they are wanted, with the fix."""
    variables = otel_variables()
    if not is_wanted():
        return None
    name = next(name for name in ENDPOINTS if variables.get(name))
    if not variables[name].startswith(("http://", "https://")):
        value = one_line(variables[name], 80)
        return f"{name}={value} is not a valid URL; expected one such as http://collector:4318"
    for protocol in PROTOCOLS:
        if variables.get(protocol, PROTOCOL) != PROTOCOL:
            return f"{protocol}={one_line(variables[protocol], 40)} is not supported; expected {PROTOCOL}"
    if not _is_installed():
        return f"{name} is set, but no traces are sent: pip install 'analytics-worker[otel]'"
    return None


def _is_installed() -> bool:
    try:
        return find_spec(PACKAGE) is not None
    except ModuleNotFoundError:
        return False


def modules_to_preload() -> tuple[str, ...]:
    """Return the modules that each run would import: none unless traces are sent."""
    return MODULES if is_wanted() and tracing_problem() is None else ()


def start_tracing(attributes: Mapping[str, str | None]) -> None:
    """Send the spans of this process from now on, if the variables say so; no error of it fails a run.

    Args:
        attributes: What identifies the process, and the run that it executes.
    """
    if not is_wanted() or tracing_problem() is not None:
        return
    os.environ.update(otel_variables())  # noqa: TID251  # the SDK reads only the environment
    try:
        exporter: Any = importlib.import_module("analytics_worker.trace_exporter")
        exporter.set_provider({name: value for name, value in attributes.items() if value})
    except Exception as error:  # noqa: BLE001  # a run never fails because of its measurements
        _log.warning("traces are not sent: %s", one_line(f"{type(error).__name__}: {error}"))


def finish_tracing() -> None:
    """Send what is left, within `FLUSH_SECONDS`."""
    if SDK not in sys.modules:
        return
    flush = getattr(_api().get_tracer_provider(), "force_flush", None)
    if flush is not None:
        thread = threading.Thread(target=flush, daemon=True)
        thread.start()
        thread.join(FLUSH_SECONDS)


def record_statement(statement: str, seconds: float, error: BaseException | None = None) -> None:
    """Add the span of a statement that has just ended, if this process is traced.

    Args:
        statement: Its text, of which no literal and no comment is sent.
        seconds: How long it took.
        error: Why it failed; only its SQLSTATE is sent.
    """
    if SDK not in sys.modules:
        return
    try:
        _record(statement, seconds, error)
    except Exception:  # noqa: BLE001  # a run never fails because of its measurements
        _log.debug("a statement could not be traced", exc_info=True)


def _api() -> Any:
    return importlib.import_module("opentelemetry.trace")


def _record(statement: str, seconds: float, error: BaseException | None) -> None:
    trace = _api()
    provider: Any = trace.get_tracer_provider()  # kept there: this module may be imported again
    current = trace.get_current_span().get_span_context().is_valid
    context = None if current else getattr(provider, "run_context", None)
    started = time.time_ns() - int(seconds * 1e9)
    name = operation(statement)
    span = provider.get_tracer("analytics_worker").start_span(
        name.upper(), context, trace.SpanKind.CLIENT, start_time=started
    )
    if span.is_recording():
        span.set_attribute("db.system.name", "postgresql")
        span.set_attribute("db.operation.name", name.upper())
        span.set_attribute("db.query.text", without_literals(statement))
        if error is not None:
            span.set_attribute("error.type", sqlstate(error) or type(error).__name__)
            span.set_status(trace.StatusCode.ERROR)
    span.end()


@contextmanager
def traced_statement(statement: str) -> Generator[None]:
    """Add the span of a statement that is executed in the block."""
    started = time.perf_counter()
    try:
        yield
    except BaseException as error:
        record_statement(statement, time.perf_counter() - started, error)
        raise
    record_statement(statement, time.perf_counter() - started)
