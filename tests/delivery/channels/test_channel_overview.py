"""`analytics-worker channels` lists channels, and reports blocks that are invalid or can't be read."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect import get_client
from prefect.client.schemas.actions import BlockDocumentCreate
from pydantic import SecretStr
from typer.testing import CliRunner

from analytics_worker.cli.channels import channels
from analytics_worker.delivery import deliver_due
from analytics_worker.delivery.routing import (
    InvalidChannelError,
    UnknownChannelError,
    channel,
)
from blocks.notifications import WebhookChannel
from tests.support.deliveries import Deliveries, webhook_recipient

pytestmark = pytest.mark.usefixtures("prefect_api")


def store(name: str, data: dict[str, object]) -> None:
    """Store a block through the Prefect API, which does not check the fields."""
    with get_client(sync_client=True) as client:
        kind = client.read_block_type_by_slug("webhook-channel")
        schema = client.get_most_recent_block_schema_for_block_type(kind.id)
        assert schema is not None
        document = BlockDocumentCreate(
            name=name, data=data, block_type_id=kind.id, block_schema_id=schema.id
        )
        client.create_block_document(document)


@pytest.fixture(autouse=True)
def known_type(http_sink):
    WebhookChannel(url=SecretStr(f"{http_sink.url}/good")).save("good-hook", overwrite=True)


@pytest.mark.parametrize(
    ("name", "data"),
    [("odd-empty", {}), ("odd-rate", {"url": "https://canary.example/x", "rate": "often"})],
)
def test_a_block_with_invalid_fields_is_reported_as_invalid(name, data):
    store(name, data)
    with pytest.raises(InvalidChannelError, match=f"{name}.*(url|rate): ") as invalid:
        channel(name)
    assert "canary" not in str(invalid.value)
    assert "Prefect API" not in str(invalid.value)


@pytest.mark.usefixtures("environment")
def test_messages_of_an_invalid_block_wait_until_it_is_edited():
    store("odd-none", {})
    deliveries = Deliveries()
    deliveries.add(webhook_recipient("odd-none"), key="odd")
    deliveries.add(webhook_recipient("good-hook"), key="good")
    counts = deliver_due()
    assert (counts["sent"], counts["not_configured"]) == (1, 1)
    assert "url: Field required" in deliveries.row("odd")["last_error"]
    shown = CliRunner().invoke(channels, [])
    assert (shown.exit_code, "odd-none" in shown.output, "good-hook" in shown.output) == (
        0,
        True,
        True,
    )


class _Refusing(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815  # http.server's name

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  # its signature


@pytest.fixture
def refusing_api():
    """Run an API that requires a login for every request, as Prefect's does if one is set."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()


def run(url: str, *arguments: str) -> tuple[int, str]:
    """Run the command in a process of its own: Prefect's event client keeps its first address."""
    command = [sys.executable, "-m", "analytics_worker.cli", "channels", *arguments]
    environment = {**os.environ, "PREFECT_API_URL": url}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("arguments", [(), ("test", "good-hook")])
def test_an_api_that_requires_a_login_is_reported_and_no_channel_is_called_missing(
    refusing_api, arguments
):
    code, output = run(refusing_api, *arguments)
    assert (code, "PREFECT_API_AUTH_STRING" in output) == (1, True), output
    assert "not configured" not in output
    assert "No channel is configured" not in output


def test_a_name_without_a_block_is_an_unknown_channel():
    with pytest.raises(UnknownChannelError):
        channel("no-such-hook")
