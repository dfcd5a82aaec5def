"""Opsgenie's Alert API.

Checks https://docs.opsgenie.com/docs/alert-api: GenieKey, message 130, alias 512, description 15000, 20
tags of 50, details of texts up to 8000 in all, source 100, note 25000, P1 to P5, close by alias, 202.
The fields show HTML (https://docs.opsgenie.com/docs/alerts-and-alert-fields), so no tag may be in one.
"""

import re
from typing import Any
from urllib.parse import unquote

from tests.support.receivers.service import (
    Answer,
    Request,
    Service,
    json_answer,
    require,
    require_known_fields,
    text,
)

API_KEY = "01234567-canary-89ab"

_CLOSE = re.compile(r"/v2/alerts/([^/?]+)/close\?identifierType=alias")
_FIELDS = {"message", "alias", "description", "details", "tags", "source", "priority"}


class Opsgenie(Service):
    """Alerts are in ``accepted``; the open ones in ``open`` by alias; notes of closings in ``closed``."""

    def __init__(self) -> None:
        super().__init__()
        self.open: dict[str, dict[str, Any]] = {}
        self.closed: dict[str, dict[str, Any]] = {}

    def handle(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"GenieKey {API_KEY}":
            return json_answer(403, {"message": f"Key [{API_KEY}] is not valid", "took": 0.001})
        close = _CLOSE.fullmatch(request.path)
        if close:
            return self._close(unquote(close[1]), request.json)
        require(request.path == "/v2/alerts", "unknown path")
        alert = _alert(request.json)
        self.accepted.append(alert)
        self.open[alert["alias"]] = alert
        return json_answer(202, {"result": "Request will be processed", "requestId": "r"})

    def invalid(self, reason: str) -> Answer:
        return json_answer(422, {"message": f"Request body is not processable. {reason}"})

    def _close(self, alias: str, body: dict[str, Any]) -> Answer:
        require_known_fields(body, "closing", {"source", "note"})
        _plain(text(body["note"], "note", 25_000, least=0))
        if alias not in self.open:
            return json_answer(404, {"message": "Alert does not exist", "took": 0.001})
        del self.open[alias]
        self.closed[alias] = body
        return json_answer(202, {"result": "Request will be processed", "requestId": "r"})


def _alert(alert: dict[str, Any]) -> dict[str, Any]:
    require_known_fields(alert, "alert", _FIELDS)
    _plain(text(alert["message"], "message", 130))
    text(alert["alias"], "alias", 512)
    _plain(text(alert["description"], "description", 15_000, least=0))
    text(alert["source"], "source", 100)
    require(len(alert["tags"]) <= 20, "tags")
    for tag in alert["tags"]:
        text(tag, "tag", 50)
    require(alert["priority"] in {"P1", "P2", "P3", "P4", "P5"}, "priority")
    require(all(isinstance(value, str) for value in alert["details"].values()), "details")
    require(sum(len(k) + len(v) for k, v in alert["details"].items()) <= 8000, "size of details")
    return alert


def _plain(shown: str) -> None:
    require(not re.search(r"<[A-Za-z/!?]", shown), f"HTML in {shown[:200]!r}")
