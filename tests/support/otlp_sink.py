"""An OTLP collector on loopback that decodes the traces it is sent."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.http_sink import HttpSink


class OtlpSink(HttpSink):
    """Keeps what it is sent."""

    @property
    def endpoint(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT is set to."""
        return f"http://{self.host}:{self.port}"

    def spans(self) -> list[dict[str, Any]]:
        """Every span that arrived, with the attributes of its resource."""
        found: list[dict[str, Any]] = []
        for posted in list(self.requests):
            request = ExportTraceServiceRequest.FromString(posted.body)
            for of_resource in request.resource_spans:
                resource = _values(of_resource.resource.attributes)
                for scope in of_resource.scope_spans:
                    found += [_span(span, resource) for span in scope.spans]
        return found


def _span(span: Any, resource: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": span.name,
        "id": span.span_id.hex(),
        "trace": span.trace_id.hex(),
        "parent": span.parent_span_id.hex(),
        "attributes": _values(span.attributes),
        "status": (span.status.code, span.status.message),
        "events": [(event.name, _values(event.attributes)) for event in span.events],
        "resource": resource,
        "nanoseconds": span.end_time_unix_nano - span.start_time_unix_nano,
    }


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@pytest.fixture
def otlp_sink() -> Iterator[OtlpSink]:
    sink = OtlpSink()
    sink.answer(200)
    sink.start()
    yield sink
    sink.stop()
