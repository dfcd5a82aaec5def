"""Raw unpermitted requests to the product's server: refused before Prefect handles them, without effect."""

import json
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest

from tests.support.attacks import attack
from tests.support.guarded_server import (
    EVENT,
    client_of,
    command_automation,
    foreign_event,
    own_host,
    traces,
)
from tests.support.processes import Server
from tests.support.raw_http import UPGRADE, post_json, send
from tests.support.wait_until import wait_until

JSON = ("Content-Type", "application/json")
SOCKETS = (
    "/api/events/in",
    "/api/events/out",
    "/api/logs/out",
    "/api/task_runs/subscriptions/scheduled",
    "/api/work_pools/any/workers/connect",
)


@pytest.fixture(scope="module")
def bodies(bare_server: Server) -> dict[str, Any]:
    """What the attacks send, by path."""
    with client_of(bare_server) as client:
        automation = command_automation(client)
    return {"/api/automations/": automation, "/api/events": [foreign_event(str(uuid4()))]}


@pytest.fixture
def untouched(bare_server: Server):
    """Nothing is on the server after the test that was not there before."""
    with client_of(bare_server) as client:
        before = traces(client)
        yield
        assert traces(client) == before


def test_a_program_of_this_host_can_do_both(bare_server: Server, bodies: dict[str, Any]):
    """So the same bodies, sent by another site, would have had an effect."""
    created = post_json(bare_server.port, "/api/automations/", bodies["/api/automations/"])
    event = post_json(bare_server.port, "/api/events", [foreign_event(str(uuid4()))])
    assert (created.status, event.status) == (HTTPStatus.CREATED, HTTPStatus.NO_CONTENT)
    with client_of(bare_server) as client:
        wait_until(lambda: EVENT in traces(client), 30)
        client.delete_automation(json.loads(created.body)["id"])


@attack(
    by="web page",
    what="POST /api/automations/ and /api/events with a body that needs no preflight: text/plain, forms, no type",
    answer="415, nothing changed",
)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("path", ["/api/automations/", "/api/events"])
@pytest.mark.parametrize(
    "types",
    [
        (),
        ("text/plain;charset=UTF-8",),
        ("application/x-www-form-urlencoded",),
        ("multipart/form-data; boundary=x",),
        ("text/plain", "application/json"),
    ],
)
def test_bodies_that_a_page_can_send_are_refused(
    bare_server: Server, bodies: dict[str, Any], path: str, types: tuple[str, ...]
):
    headers = [("Content-Type", type_) for type_ in types]
    body = json.dumps(bodies[path]).encode()
    answer = send(bare_server.port, "POST", path, headers, body, host=own_host(bare_server))
    assert answer.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    assert "expected application/json" in answer.detail


@attack(by="web page", what="A chunked body without a type", answer="415, nothing changed")
@pytest.mark.usefixtures("untouched")
def test_a_chunked_body_is_a_body(bare_server: Server, bodies: dict[str, Any]):
    text = json.dumps(bodies["/api/automations/"]).encode()
    chunks = f"{len(text):x}\r\n".encode() + text + b"\r\n0\r\n\r\n"
    headers = [("Transfer-Encoding", "chunked")]
    answer = send(
        bare_server.port, "POST", "/api/automations/", headers, chunks, host=own_host(bare_server)
    )
    assert answer.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def rebound(server: Server) -> list[tuple[str, str]]:
    """What a page sends after its name began to lead to this host."""
    name = f"evil.example:{server.port}"
    return [("Host", name), ("Origin", f"http://{name}"), ("Sec-Fetch-Site", "same-origin"), JSON]


@attack(
    by="web page",
    what="DNS rebinding: reads and JSON writes under the page's own name",
    answer="421, nothing read or changed",
)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/api/admin/settings"),
        ("GET", "/api/csrf-token?client=page"),
        ("GET", "/ui-settings"),
        ("OPTIONS", "/api/automations/"),
        ("POST", "/api/automations/"),
        ("POST", "/api/flow_runs/filter"),
        ("DELETE", "/api/automations/owned-by/deployment"),
    ],
)
def test_a_foreign_host_is_refused(
    bare_server: Server, bodies: dict[str, Any], method: str, path: str
):
    body = json.dumps(bodies.get(path, {})).encode() if method == "POST" else b""
    answer = send(bare_server.port, method, path, rebound(bare_server), body)
    assert answer.status == HTTPStatus.MISDIRECTED_REQUEST
    assert f"add evil.example:{bare_server.port} to SERVER_ALLOWED_HOSTS" in answer.detail


@attack(
    by="web page",
    what="A request target with the server's own name under a foreign Host, and the other way round",
    answer="421, or 404",
)
def test_an_absolute_target_opens_nothing(bare_server: Server):
    target = f"http://{own_host(bare_server)}/api/admin/settings"
    foreign = send(bare_server.port, "GET", target, [], host="evil.example")
    assert foreign.status == HTTPStatus.MISDIRECTED_REQUEST
    target = "http://evil.example/api/admin/settings"
    assert (
        send(bare_server.port, "GET", target, [], host=own_host(bare_server)).status
        != HTTPStatus.OK
    )


@attack(by="web page", what="Two Host headers, or none", answer="400 or 421")
def test_one_host_is_needed(bare_server: Server):
    hosts = [("Host", own_host(bare_server)), ("Host", "evil.example")]
    for headers in (hosts, []):
        answer = send(bare_server.port, "GET", "/api/admin/settings", headers)
        assert answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.MISDIRECTED_REQUEST}


@attack(
    by="web page",
    what="JSON writes and preflights of another page, of another port, or of a sandboxed frame (null)",
    answer="403 without CORS headers, nothing changed",
)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("method", ["POST", "OPTIONS", "GET"])
@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null"])
def test_a_foreign_origin_is_refused(
    bare_server: Server, bodies: dict[str, Any], method: str, origin: str
):
    headers = [("Origin", origin), JSON, ("Access-Control-Request-Method", "POST")]
    body = json.dumps(bodies["/api/automations/"]).encode() if method == "POST" else b""
    answer = send(
        bare_server.port, method, "/api/automations/", headers, body, host=own_host(bare_server)
    )
    assert answer.status == HTTPStatus.FORBIDDEN
    assert not [name for name in answer.headers if name.startswith("access-control")]


@attack(
    by="web page",
    what="A write without a body, marked cross-site by the browser",
    answer="403, nothing changed",
)
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_the_browser_calls_foreign_is_refused(bare_server: Server, site: str):
    headers = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "no-cors")]
    path = f"/api/flow_runs/{uuid4()}/resume"
    answer = send(bare_server.port, "POST", path, headers, host=own_host(bare_server))
    assert answer.status == HTTPStatus.FORBIDDEN


@attack(
    by="web page",
    what="Websockets of another page: events in, events out, logs, task runs, the worker channel",
    answer="421 or 403 instead of a handshake",
)
@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize(
    ("stranger", "status"),
    [
        (("Origin", "http://evil.example"), HTTPStatus.FORBIDDEN),
        (("Origin", "null"), HTTPStatus.FORBIDDEN),
        (("Sec-Fetch-Site", "cross-site"), HTTPStatus.FORBIDDEN),
        (("Host", "evil.example"), HTTPStatus.MISDIRECTED_REQUEST),
    ],
)
def test_websockets_of_strangers_are_refused(
    bare_server: Server, path: str, stranger: tuple[str, str], status: HTTPStatus
):
    host = "" if stranger[0] == "Host" else own_host(bare_server)
    headers = [stranger, *UPGRADE, ("Sec-WebSocket-Protocol", "prefect")]
    answer = send(bare_server.port, "GET", path, headers, host=host)
    assert answer.status == status
    assert answer.detail


def test_websockets_of_programs_and_of_its_own_pages_open(bare_server: Server):
    for more in ([], [("Origin", f"http://{own_host(bare_server)}")]):
        headers = [*UPGRADE, ("Sec-WebSocket-Protocol", "prefect"), *more]
        answer = send(
            bare_server.port, "GET", "/api/events/in", headers, host=own_host(bare_server)
        )
        assert answer.status == HTTPStatus.SWITCHING_PROTOCOLS
