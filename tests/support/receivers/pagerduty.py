"""PagerDuty's Events API v2.

Checks https://developer.pagerduty.com/docs/send-alert-event (routing_key of 32 characters, event_action,
summary 1024, dedup_key 255, severity, links) and
https://developer.pagerduty.com/docs/events-api-v2-overview (512 KB, 202, 400), and keeps which alerts are
open: a trigger with an open dedup_key updates it, a resolve closes it.
"""

from typing import Any

from tests.support.receivers.service import (
    Answer,
    Request,
    Service,
    json_answer,
    require,
    require_known_fields,
    text,
    web_address,
)

ROUTING_KEY = "R0123456789abcdefCANARY456789abc"


class PagerDuty(Service):
    """Events are in ``accepted``, changes in ``changes``, the alerts in ``open`` by dedup_key."""

    def __init__(self) -> None:
        super().__init__()
        self.open: dict[str, dict[str, Any]] = {}
        self.changes: list[dict[str, Any]] = []
        self.resolved: list[str] = []

    def handle(self, request: Request) -> Answer:
        require(len(request.body) <= 512 * 1024, "more than 512 KB")
        body = request.json
        require(body["routing_key"] == ROUTING_KEY, "'routing_key' is invalid")
        return {"/v2/enqueue": self._alert, "/v2/change/enqueue": self._change}[request.path](body)

    def invalid(self, reason: str) -> Answer:
        message = "Event object is invalid"
        return json_answer(400, {"status": "invalid event", "message": message, "errors": [reason]})

    def _alert(self, body: dict[str, Any]) -> Answer:
        action = body["event_action"]
        require(action in {"trigger", "acknowledge", "resolve"}, "'event_action' is invalid")
        key = text(body["dedup_key"], "dedup_key", 255)
        if action == "trigger":
            require_known_fields(
                body,
                "event",
                {"routing_key", "event_action", "dedup_key", "payload", "links", "client"},
            )
            _payload(body["payload"], {"severity"})
            require(
                body["payload"]["severity"] in {"critical", "error", "warning", "info"}, "severity"
            )
            _links(body)
            self.open[key] = body
        elif self.open.pop(key, None):
            self.resolved.append(key)
        self.accepted.append(body)
        answer = {"status": "success", "message": "Event processed", "dedup_key": key}
        return json_answer(202, answer)

    def _change(self, body: dict[str, Any]) -> Answer:
        require_known_fields(body, "event", {"routing_key", "payload", "links"})
        _payload(body["payload"], {"timestamp"})
        _links(body)
        self.changes.append(body)
        return json_answer(202, {"status": "success", "message": "Change event processed"})


def _payload(payload: dict[str, Any], more: set[str]) -> None:
    require_known_fields(payload, "payload", {"summary", "source", "custom_details", *more})
    text(payload["summary"], "summary", 1024)
    text(payload["source"], "source", 1024)
    require(isinstance(payload["custom_details"], dict), "custom_details")


def _links(body: dict[str, Any]) -> None:
    for link in body["links"]:
        require_known_fields(link, "link", {"href", "text"})
        web_address(link["href"], "href")
        text(link["text"], "text of a link", 1024)
