"""The message about a refused Host: the names that are allowed, and what to add."""

import pytest

from analytics_worker.server.request_rules import Request, Rules
from tests.support.attacks import attack

RULES = Rules.of("127.0.0.1", 4200, ["analytics.example.com", "10.0.0.5:8443"])


def refused(host: str) -> str:
    headers = [(b"host", host.encode("latin-1"))]
    found = RULES.refusal(Request({"type": "http", "path": "/api/flows", "headers": headers}))
    assert found
    return found.message


def test_the_message_has_the_allowed_names_and_what_to_add_with_the_port():
    expected = (
        "Host 'analytics.example.com:24443' is not a name of this server; expected 127.0.0.1:4200,"
        " [::1]:4200, localhost:4200, 10.0.0.5:8443, analytics.example.com,"
        " analytics.example.com:4200. If people, workers or a reverse proxy use that name, add"
        " analytics.example.com:24443 to SERVER_ALLOWED_HOSTS."
    )
    assert refused("analytics.example.com:24443") == expected


@attack(
    by="network",
    what="A Host that is none, to have a text of the caller's in the advice of the message",
    answer="it is quoted, and there is no advice",
)
@pytest.mark.parametrize(
    "host", ["a b", "x\x1b[31m", "a,b", "<script>", "user@host", "ä.example", "x" * 5000]
)
def test_a_host_that_is_none_is_not_advised(host: str):
    message = refused(host)
    assert message.isascii()
    assert message.isprintable()
    assert "add " not in message
    assert message.startswith("Host '")
    assert len(message) < 300
