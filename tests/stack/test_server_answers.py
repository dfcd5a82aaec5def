"""Answers of the product's server: no page may frame them, they load no foreign scripts, quote nothing raw."""

from http import HTTPStatus

import pytest

from tests.support.attacks import attack
from tests.support.guarded_server import own_host
from tests.support.processes import Server
from tests.support.raw_http import send


@attack(
    by="web page",
    what="The UI in a frame of another page (clickjacking)",
    answer="every answer forbids frames",
)
@pytest.mark.parametrize("path", ["/", "/v2/", "/api/health", "/no-such-page", "/docs"])
def test_no_page_may_frame_it(bare_server: Server, path: str):
    answer = send(bare_server.port, "GET", path, [], host=own_host(bare_server))
    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@attack(
    by="web page",
    what="Control characters and markup in the headers that a refusal quotes",
    answer="quoted as ASCII, in JSON and in the log",
)
def test_a_refusal_reflects_nothing_raw(bare_server: Server):
    host = "<script>alert(1)</script>\x1b]0;x\x07é"
    answer = send(bare_server.port, "GET", "/", [("Host", host)])
    assert answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.MISDIRECTED_REQUEST}
    assert answer.headers.get("content-type", "application/json") != "text/html"
    assert "\x1b" not in bare_server.output() + answer.body.decode()


@attack(
    by="network",
    what="The pages about the API, whose scripts come from a CDN and run where the UI keeps its login",
    answer="404",
)
@pytest.mark.parametrize("folder", ["", "/api"])
@pytest.mark.parametrize(
    "page",
    ["/docs", "/docs/", "//docs", "/%64ocs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"],
)
def test_no_page_loads_foreign_scripts(bare_server: Server, folder: str, page: str):
    answer = send(bare_server.port, "GET", folder + page, [], host=own_host(bare_server))
    if answer.status == HTTPStatus.TEMPORARY_REDIRECT:
        location = answer.headers["location"].partition(own_host(bare_server))[2]
        answer = send(bare_server.port, "GET", location, [], host=own_host(bare_server))
    assert answer.status == HTTPStatus.NOT_FOUND
    assert b"cdn" not in answer.body
