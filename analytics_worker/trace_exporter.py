"""Make the provider of spans of one process, which sends names, times and identities only.

Reads the OTEL_… variables, as the OpenTelemetry SDK does; sends to their endpoint. Needs the extra ``otel``. Messages
of states and errors stay where access is controlled: in the Prefect server. They may quote data.
"""

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from typing_extensions import override

SERVICE = "analytics-worker"
OF_EVENTS = frozenset(
    {"exception.type", "prefect.state.id", "prefect.state.name", "prefect.state.type"}
)
OF_SPANS = ("prefect.", "db.", "error.")


class SafeExporter(SpanExporter):
    """Export spans without the messages of their states and errors."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([safe_span(span) for span in spans])

    @override
    def shutdown(self) -> None:
        self._exporter.shutdown()


def safe_span(span: ReadableSpan) -> ReadableSpan:
    """Return a copy without messages, tracebacks and attributes of others."""
    attributes = {
        name: value for name, value in (span.attributes or {}).items() if name.startswith(OF_SPANS)
    }
    events = [
        Event(event.name, _known(event.attributes or {}), event.timestamp) for event in span.events
    ]
    return ReadableSpan(
        span.name,
        span.context,
        span.parent,
        span.resource,
        attributes,
        events,
        span.links,
        span.kind,
        status=trace.Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name in OF_EVENTS}


class RunProvider(TracerProvider):
    """The provider of one run.

    Attributes:
        run_context: Context of the first span, which is that of the run: threads that a flow starts have none.
    """

    run_context: Context | None = None


class FirstSpan(SpanProcessor):
    """Keep the context of the first span."""

    def __init__(self, provider: RunProvider) -> None:
        self._provider = provider

    @override
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if self._provider.run_context is None:
            self._provider.run_context = trace.set_span_in_context(span)


def set_provider(attributes: Mapping[str, str]) -> None:
    """Set the provider of this process, which Prefect uses from now on, too.

    Args:
        attributes: Of the process; the variables of OpenTelemetry win over them.
    """
    usual = {"service.name": SERVICE, "host.name": socket.gethostname(), **attributes}
    resource = Resource.create({**usual, **OTELResourceDetector().detect().attributes})
    provider = RunProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(FirstSpan(provider))
    provider.add_span_processor(BatchSpanProcessor(SafeExporter(OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
