"""The rules by which requests are refused, case by case; tests/stack has them on a real server."""

from typing import Any

import pytest

from analytics_worker.server.request_rules import Request, Rules
from tests.support.attacks import attack

RULES = Rules.of("127.0.0.1", 4200, ["analytics.example.com", "10.0.0.5:8443"])
OWN = ("host", "127.0.0.1:4200")


def request(*headers: tuple[str, str], method: str = "GET", path: str = "/api/flows", **more):
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "server": ("127.0.0.1", 4200),
    }
    return Request(scope | more)


def kind(asked: Request, rules: Rules = RULES) -> str | None:
    found = rules.refusal(asked)
    return found and found.kind


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:4200",
        "localhost:4200",
        "LocalHost:4200",
        "[::1]:4200",
        "[0::1]:4200",
        "analytics.example.com",
        "analytics.example.com:443",
        "analytics.example.com:4200",
        "10.0.0.5:8443",
    ],
)
def test_own_and_allowed_hosts_pass(host: str):
    assert kind(request(("host", host))) is None


@attack(
    by="web page",
    what="Requests under a foreign, malformed, repeated or missing Host (DNS rebinding)",
    answer="421",
)
@pytest.mark.parametrize(
    "hosts",
    [
        (),
        ("",),
        ("evil.example:4200",),
        ("127.0.0.1:4201",),
        ("127.0.0.1",),
        ("localhost.:4200",),
        ("localhost.evil.example:4200",),
        ("0.0.0.0:4200",),
        ("127.1:4200",),
        ("2130706433:4200",),
        ("0x7f000001:4200",),
        ("[::ffff:127.0.0.1]:4200",),
        ("me@localhost:4200",),
        ("localhost:4200, evil.example",),
        ("analytics.example.com:8443",),
        ("sub.analytics.example.com",),
        ("127.0.0.1:4200", "evil.example"),
        ("evil.example", "127.0.0.1:4200"),
        ("127.0.0.1:4200", "127.0.0.1:4200"),
    ],
)
def test_other_hosts_are_refused(hosts: tuple[str, ...]):
    assert kind(request(*(("host", host) for host in hosts))) == "foreign Host"


def test_the_address_that_a_connection_arrived_at_is_the_server_s_own():
    everywhere = Rules.of("0.0.0.0", 4200, [])  # noqa: S104  # nothing listens
    arrived: Any = {"server": ("192.0.2.7", 4200)}
    assert kind(request(("host", "192.0.2.7:4200"), **arrived), everywhere) is None
    assert kind(request(("host", "192.0.2.8:4200"), **arrived), everywhere) == "foreign Host"
    assert kind(request(("host", "0.0.0.0:4200"), **arrived), everywhere) == "foreign Host"


@pytest.mark.parametrize("server", [None, ("/run/socket", None), ("::", 4200)])
def test_a_server_without_an_address_has_only_its_names(server: object):
    assert kind(request(("host", "192.0.2.7:4200"), server=server)) == "foreign Host"
    assert kind(request(OWN, server=server)) is None


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:4200", "http://127.0.0.1:4200"),
        ("localhost:4200", "http://LOCALHOST:4200"),
        ("analytics.example.com", "https://analytics.example.com"),
        ("127.0.0.1:4200", "https://analytics.example.com"),
        ("[::1]:4200", "http://[::1]:4200"),
    ],
)
def test_its_own_pages_pass(host: str, origin: str):
    assert kind(request(("host", host), ("origin", origin))) is None


@attack(
    by="web page",
    what="Requests with the Origin of another page, of another port of this host, or null",
    answer="403",
)
@pytest.mark.parametrize("kind_of_scope", ["http", "websocket"])
@pytest.mark.parametrize(
    "origins",
    [
        ("http://evil.example",),
        ("http://127.0.0.1:3000",),
        ("http://localhost:4200",),  # on another address of this host, it may be another user's
        ("null",),
        ("",),
        ("file://",),
        ("ftp://127.0.0.1:4200",),
        ("chrome-extension://127.0.0.1:4200",),
        ("http://127.0.0.1:4200/",),
        ("http://127.0.0.1:4200@evil.example",),
        ("127.0.0.1:4200",),
        ("http://127.0.0.1:4200", "http://evil.example"),
    ],
)
def test_other_origins_are_refused(origins: tuple[str, ...], kind_of_scope: str):
    headers = [("origin", origin) for origin in origins]
    assert kind(request(OWN, *headers, type=kind_of_scope)) == "foreign Origin"


def fetched(site: str, mode: str = "no-cors", dest: str = "empty") -> list[tuple[str, str]]:
    return [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)]


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_what_its_own_pages_fetch_passes(site: str):
    assert kind(request(OWN, *fetched(site, "cors"))) is None


@attack(
    by="web page",
    what="Images, scripts, frames and fetches of another site, without an Origin",
    answer="403",
)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "same-origin, cross-site", "Same"])
@pytest.mark.parametrize("dest", ["empty", "image", "script", "iframe", "object"])
def test_what_other_sites_fetch_is_refused(site: str, dest: str):
    mode = "navigate" if dest == "iframe" else "no-cors"
    assert kind(request(OWN, *fetched(site, mode, dest), path="/")) == "foreign site"


def test_a_link_on_another_site_leads_to_the_pages_of_the_ui_only():
    link = fetched("cross-site", "navigate", "document")
    assert kind(request(OWN, *link, path="/runs/flow-run/1")) is None
    for path in ("/api", "/api/", "/api/flows"):
        assert kind(request(OWN, *link, path=path)) == "foreign site"
    assert kind(request(OWN, *link, path="/", method="POST")) == "foreign site"
    assert kind(request(OWN, *link, path="/", type="websocket")) == "foreign site"


def test_an_api_below_another_path_is_known():
    rules = Rules.of("127.0.0.1", 4200, [], "/prefect/api")
    link = fetched("cross-site", "navigate", "document")
    assert kind(request(OWN, *link, path="/prefect/api/flows"), rules) == "foreign site"


JSON = ("content-type", "application/json")
LENGTH = ("content-length", "2")


@pytest.mark.parametrize("type_", ["application/json", "Application/JSON; charset=utf-8"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_json_may_be_written(method: str, type_: str):
    assert kind(request(OWN, ("content-type", type_), LENGTH, method=method)) is None
    assert kind(request(OWN, ("content-length", "0"), method=method)) is None
    assert kind(request(OWN, method=method)) is None


@attack(
    by="web page",
    what="Bodies that a page may send without asking: text, forms, no type, several types",
    answer="415",
)
@pytest.mark.parametrize(
    "length", [LENGTH, ("transfer-encoding", "chunked"), ("content-length", "x")]
)
@pytest.mark.parametrize(
    "types",
    [
        (),
        ("",),
        ("text/plain",),
        ("text/plain; application/json",),
        ("text/plain;charset=application/json",),
        ("application/x-www-form-urlencoded",),
        ("multipart/form-data; boundary=x",),
        ("application/json, text/plain",),
        ("application/jsonp",),
        ("application/json", "text/plain"),
        ("application/json", "application/json"),
    ],
)
def test_other_bodies_are_refused(types: tuple[str, ...], length: tuple[str, str]):
    headers = [("content-type", type_) for type_ in types]
    assert kind(request(OWN, length, *headers, method="POST")) == "body that is not JSON"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_pages_about_the_api_are_refused_wherever_the_api_is(path: str, method: str):
    elsewhere = Rules.of("127.0.0.1", 4200, [], "/prefect/v1/")
    for rules, folder in (
        (RULES, ""),
        (RULES, "/api"),
        (elsewhere, ""),
        (elsewhere, "/prefect/v1"),
    ):
        assert kind(request(OWN, path=folder + path, method=method), rules) == "page about the API"


@pytest.mark.parametrize("path", ["/docs-of-ours", "/api/flows/docs", "/v2/docs", "/api/redocs"])
def test_other_paths_with_such_names_pass(path: str):
    assert kind(request(OWN, path=path)) is None
