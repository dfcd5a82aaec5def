"""Each response of a service has a result for the message, which quotes no secret."""

import pytest

from analytics_worker.send_result import SendResult
from analytics_worker.settings import settings
from tests.support.receivers.all_channels import Receivers
from tests.support.receivers.opsgenie import API_KEY
from tests.support.receivers.pagerduty import ROUTING_KEY
from tests.support.receivers.service import Answer, Service, json_answer
from tests.support.receivers.telegram import TOKEN
from tests.support.sample_messages import FIRING, RESOLVED

# apprise imports a module that Python 3.13 drops; it brings a replacement there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def slack_error(word: str, **headers: str) -> Answer:
    return json_answer(200, {"ok": False, "error": word}, **headers)


def telegram_error(code: int, description: str, **parameters: int) -> Answer:
    body = {"ok": False, "error_code": code, "description": description, "parameters": parameters}
    return json_answer(code, body)


WAIT = {"Retry-After": "7"}
TEAMS_429 = b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x"

ANSWERS = [
    ("slack", Answer(429, b"", WAIT), "rate_limited"),
    ("slack", Answer(400, b"invalid_payload"), "permanent"),
    ("slack", Answer(403, b"action_prohibited"), "permanent"),
    ("slack", Answer(404, b"no_service"), "permanent"),
    ("slack", Answer(404, b"<html>starting</html>"), "temporary"),
    ("slack", Answer(410, b"channel_is_archived"), "permanent"),
    ("slack", Answer(302, b"", {"Location": "http://127.0.0.1/"}), "permanent"),
    ("slack", Answer(500, b"rollup_error"), "temporary"),
    ("slack-bot", Answer(429, b"", WAIT), "rate_limited"),
    ("slack-bot", slack_error("ratelimited", Retry_After="7"), "rate_limited"),
    ("slack-bot", slack_error("channel_not_found"), "permanent"),
    ("slack-bot", slack_error("not_in_channel"), "permanent"),
    ("slack-bot", slack_error("is_archived"), "permanent"),
    ("slack-bot", slack_error("msg_too_long"), "permanent"),
    ("slack-bot", slack_error("invalid_auth"), "unreachable"),
    ("slack-bot", slack_error("token_revoked"), "unreachable"),
    ("slack-bot", slack_error("missing_scope"), "unreachable"),
    ("slack-bot", slack_error("internal_error"), "temporary"),
    ("slack-bot", Answer(200, b"<html>login page</html>"), "temporary"),
    ("slack-bot", Answer(200, b"[" * 50_000), "temporary"),
    ("teams", Answer(429, b"", WAIT), "rate_limited"),
    ("teams", Answer(413, b"Request Entity too large"), "permanent"),
    ("teams", Answer(400, b"bad card"), "permanent"),
    ("teams", Answer(401), "unreachable"),
    ("teams", Answer(404, b"WorkflowNotFound"), "temporary"),
    ("teams", Answer(502), "temporary"),
    ("teams", Answer(200, TEAMS_429), "rate_limited"),
    ("teams", Answer(200, TEAMS_429.replace(b"429", b"413")), "permanent"),
    ("teams", Answer(200, b"Webhook message delivery failed with error: ?"), "temporary"),
    ("teams", Answer(200, b"1"), "sent"),
    ("pagerduty", Answer(429, b"", WAIT), "rate_limited"),
    ("pagerduty", json_answer(400, {"message": "bad", "errors": [f"{ROUTING_KEY} odd"]}), "permanent"),
    ("pagerduty", Answer(403), "unreachable"),
    ("pagerduty", Answer(503), "temporary"),
    ("opsgenie", Answer(429, b"", WAIT), "rate_limited"),
    ("opsgenie", json_answer(422, {"message": f"bad {API_KEY}"}), "permanent"),
    ("opsgenie", json_answer(403, {"message": f"Key [{API_KEY}]"}), "unreachable"),
    ("opsgenie", Answer(503), "temporary"),
    ("telegram", telegram_error(429, "Too Many Requests", retry_after=7), "rate_limited"),
    ("telegram", telegram_error(403, "Forbidden: bot was blocked by the user"), "permanent"),
    ("telegram", telegram_error(400, f"Bad Request: chat not found {TOKEN}"), "permanent"),
    ("telegram", telegram_error(401, "Unauthorized"), "unreachable"),
    ("telegram", telegram_error(404, "Not Found"), "unreachable"),
    ("telegram", telegram_error(502, "Bad Gateway"), "temporary"),
    ("telegram", Answer(200, b"<html>proxy</html>"), "temporary"),
]  # fmt: skip


def service(receivers: Receivers, name: str) -> Service:
    return receivers.slack if name == "slack-bot" else getattr(receivers, name)


@pytest.mark.parametrize(("name", "answer", "status"), ANSWERS)
def test_each_response_has_a_result(receivers: Receivers, name: str, answer: Answer, status: str):
    service(receivers, name).answer_next(answer)
    result = receivers.send(name, FIRING)
    assert result.status == status, result.detail
    assert_says_why_without_secrets(result)
    if status == "rate_limited":
        requested = answer.status == 429 or "Retry-After" in answer.headers
        assert result.retry_after_seconds == (7 if requested else 30)


def assert_says_why_without_secrets(result: SendResult) -> None:
    assert result.detail or result.status == "sent"
    assert "canary" not in result.detail.lower()
    assert API_KEY not in result.detail


@pytest.mark.parametrize(("code", "status"), [(404, "temporary"), (410, "temporary"), (400, "permanent"), (429, "rate_limited")])  # fmt: skip
def test_a_webhook_that_is_being_deployed_is_retried(receivers: Receivers, code: int, status: str):
    receivers.webhook.answer(code, times=1, Retry_After="7")
    assert receivers.send("webhook", FIRING).status == status


def test_closing_in_opsgenie_without_a_response_is_retried(receivers: Receivers):
    receivers.opsgenie.answer_next(Answer(500))
    assert receivers.send("opsgenie", RESOLVED).status == "temporary"


@pytest.mark.parametrize("name", ["slack", "slack-bot", "teams", "pagerduty", "opsgenie", "telegram"])  # fmt: skip
def test_a_service_inside_the_network_is_not_reached(receivers: Receivers, monkeypatch, name: str):
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "")
    settings.cache_clear()
    result = receivers.send(name, FIRING)
    assert result.status == "not_configured"
    assert "OUTBOUND_ALLOWED_HOSTS" in result.detail
    assert service(receivers, name).requests == []


def test_an_upload_address_inside_the_network_is_not_reached(receivers: Receivers, tmp_path):
    """Slack returns the upload address; the file must not be sent to the metadata service."""
    file = tmp_path / "x.csv"
    file.write_text("secret")
    address = "http://169.254.169.254/upload"
    receivers.slack.answer_next(
        json_answer(200, {"ok": True, "upload_url": address, "file_id": "F1"})
    )
    result = receivers.send("slack-bot", FIRING, files={"x.csv": file})
    assert result.status == "sent"
    assert "169.254.169.254 is inside the network" in result.detail
    assert receivers.slack.shared == []


@pytest.mark.parametrize("name", ["slack", "slack-bot", "teams", "telegram"])
def test_a_stopped_service_is_unreachable(receivers: Receivers, name: str):
    service(receivers, name).__exit__()
    assert receivers.send(name, FIRING).status == "unreachable"


def test_a_deleted_file_becomes_a_link(receivers: Receivers, tmp_path):
    for name in ("slack-bot", "telegram"):
        result = receivers.send(name, FIRING, files={"gone.csv": tmp_path / "gone.csv"})
        assert result.status == "sent"
