"""The server's own automations reach permitted addresses, and no other addresses, with any block."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import uuid4

import pytest
from prefect.blocks.core import Block
from prefect.blocks.notifications import (
    CustomWebhookNotificationBlock,
    MattermostWebhook,
    SlackWebhook,
)
from prefect.blocks.webhook import Webhook
from prefect.server.events import actions
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from tests.support.attacks import attack
from tests.support.guarded_server import client_of, start_server
from tests.support.http_sink import HttpSink
from tests.support.processes import Server
from tests.support.raw_http import post_json
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
TOLD = ["prefect.automation.action.failed", "prefect.automation.action.executed"]
Made = Callable[[HttpSink], Block]


@pytest.fixture(scope="module")
def permitting_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its operator has listed this host, by name."""
    home = tmp_path_factory.mktemp("permitting") / "prefect"
    with start_server(home, OUTBOUND_ALLOWED_HOSTS="localhost") as server:
        yield server


@pytest.fixture
def inside() -> Iterator[HttpSink]:
    """At an address that no setting lists."""
    sink = HttpSink()
    sink.host = "127.0.0.2"
    sink.start()
    yield sink
    sink.stop()


def webhook(sink: HttpSink) -> Block:
    return Webhook(url=SecretStr(sink.url), allow_private_urls=True)


def webhook_by_name(sink: HttpSink) -> Block:
    return Webhook(url=SecretStr(f"http://localhost:{sink.port}/"), allow_private_urls=True)


def custom_webhook(sink: HttpSink) -> Block:
    values = {"name": "x", "url": sink.url, "json_data": {"text": "{{body}}"}}
    return CustomWebhookNotificationBlock.model_validate(values)


def mattermost(sink: HttpSink) -> Block:
    return MattermostWebhook(
        hostname=sink.host, port=sink.port, token=SecretStr("a" * 26), secure=False
    )


def two_services(sink: HttpSink) -> Block:
    """Of the kind whose address names the host, in one block."""
    one = f"gotify://{sink.host}:{sink.port}/abcdefghijklmno"
    return SlackWebhook(url=SecretStr(f"{one}, {one}?priority=high"))


def json_service(sink: HttpSink) -> Block:
    return SlackWebhook(url=SecretStr(f"json://{sink.host}:{sink.port}/"))


def template_file(sink: HttpSink) -> Block:
    return SlackWebhook(url=SecretStr(f"gotify://{sink.host}:{sink.port}/abc?attach=/etc/passwd"))


CONNECTING: list[Made] = [webhook, webhook_by_name, custom_webhook, mattermost, two_services]


def acted(server: Server, block: Block) -> dict[str, Any]:
    """The event with the result of an automation with this block."""
    expected = f"attack.{uuid4()}"
    with temporary_settings({PREFECT_API_URL: server.api_url}), client_of(server) as client:
        saved = block.save(f"b-{uuid4()}", _sync=True)  # pyright: ignore[reportCallIssue]
        made = client.request("POST", "/automations/", json=automation(expected, block, saved))
        resource = f"prefect.automation.{made.json()['id']}"
        wanted = {"filter": {"event": {"name": TOLD}, "resource": {"id": [resource]}}}

        def told() -> list[dict[str, Any]]:
            """Again and again: the server takes a moment to know a new automation."""
            post_json(server.port, "/api/events", [event(expected)])
            return client.request("POST", "/events/filter", json=wanted).json()["events"]

        wait_until(told, 60, 0.5)
        return told()[0]


def automation(expected: str, block: Block, saved: Any) -> dict[str, Any]:
    action = {"block_document_id": str(saved)}
    if isinstance(block, Webhook):
        action |= {"type": "call-webhook", "payload": "{}"}
    else:
        action |= {"type": "send-notification", "subject": "x", "body": "y"}
    trigger = {"type": "event", "posture": "Reactive", "threshold": 1, "within": 0}
    return {"name": expected, "trigger": {**trigger, "expect": [expected]}, "actions": [action]}


def event(name: str) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": name,
        "resource": {"prefect.resource.id": "an-attack"},
    }


@attack(
    by="API caller",
    what="Automations whose webhook or notification block leads the server to an address inside the network",
    answer="The action fails before a connection is made; its event has no answer in it",
)
@pytest.mark.parametrize("made", CONNECTING)
def test_no_block_leads_the_server_inside(bare_server: Server, http_sink: HttpSink, made: Made):
    http_sink.answer(200, b"canary-answer")
    told = acted(bare_server, made(http_sink))
    assert http_sink.connections == 0
    assert told["event"] == TOLD[0]
    assert "OUTBOUND_ALLOWED_HOSTS" in json.dumps(told)
    assert "canary-answer" not in json.dumps(told)


@pytest.mark.parametrize("made", CONNECTING)
def test_a_permitted_host_is_reached(permitting_server: Server, http_sink: HttpSink, made: Made):
    http_sink.answer(200, b"{}")
    assert acted(permitting_server, made(http_sink))["event"] == TOLD[1]
    assert http_sink.requests


@attack(
    by="network",
    what="A permitted host that redirects a notification of the server to an address inside the network",
    answer="The second connection is refused, and the action fails",
)
def test_a_redirect_of_a_permitted_host_is_checked(
    permitting_server: Server, http_sink: HttpSink, inside: HttpSink
):
    http_sink.answer(307, Location=inside.url)
    told = acted(permitting_server, mattermost(http_sink))
    assert (told["event"], inside.connections) == (TOLD[0], 0)
    assert "OUTBOUND_ALLOWED_HOSTS" in json.dumps(told)


@attack(
    by="API caller",
    what="Notification blocks with apprise services and parameters that act on the server's machine, or open its files",
    answer="The action fails, although the host is permitted",
)
@pytest.mark.parametrize(
    ("made", "said"), [(json_service, "are webhooks"), (template_file, "attach= in the address")]
)
def test_apprise_has_the_rules_of_channels(
    permitting_server: Server, http_sink: HttpSink, made: Made, said: str
):
    told = acted(permitting_server, made(http_sink))
    assert told["event"] == TOLD[0]
    assert said in json.dumps(told)
    assert http_sink.connections == 0


def test_no_other_action_has_a_block():
    """An action that Prefect adds has to be read: does it connect to somewhere?"""
    with_block = {
        action.__name__
        for action in get_args(actions.ServerActionTypes)
        if "block_document_id" in action.model_fields
    }
    assert with_block == {"CallWebhook", "SendNotification"}
    assert len(get_args(actions.ServerActionTypes)) == 17
