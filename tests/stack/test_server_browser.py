"""Real pages in a real browser: a page of another site reaches nothing, and Prefect's own UI works as before."""

import json
import re
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.attacks import attack
from tests.support.browser import evaluate, opened, shown, site, visit
from tests.support.guarded_server import (
    LOGIN,
    client_of,
    command_automation,
    foreign_event,
    traces,
)
from tests.support.processes import Server
from tests.support.wait_until import wait_until

PAGE = Path(__file__).with_name("strangers_page.html")
DASHBOARD = "Run a task or flow to get started"
TEXT = "document.body ? document.body.innerText : ''"
LOG_IN = """
const box = document.querySelector("input[type=password]");
const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
set.call(box, LOGIN);
box.dispatchEvent(new Event("input", { bubbles: true }));
box.form.requestSubmit();
"""


def strangers_page(server: Server, target: str) -> str:
    with client_of(server) as client:
        automation = json.dumps(command_automation(client))
    event = json.dumps(foreign_event(str(uuid4())))
    page = PAGE.read_text().replace("TARGET", target)
    return page.replace("AUTOMATION", automation).replace("EVENT", event)


@attack(
    by="web page",
    what="A real page tries fetch, Blob, forms, beacons, JSON, websockets, scripts, images and frames",
    answer="nothing read, nothing changed",
)
@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("evil.example", "127.0.0.1"),
        ("evil.example", "localhost"),
        ("evil.example", "rebound.example"),
        ("evil.example", "0.0.0.0"),  # noqa: S104  # Chromium takes it for this host
    ],
)
def test_a_page_of_a_stranger_reaches_nothing(bare_server: Server, host: str, target: str):
    page = strangers_page(bare_server, f"http://{target}:{bare_server.port}")
    with client_of(bare_server) as client, site({"/": page}) as strangers:
        before = traces(client)
        seen = visit(strangers, strangers.url(host))
        assert traces(client) == before
    sent = {
        name: what for name, what in seen.items() if re.match(r"text|blob|bytes|form data", name)
    }
    assert len(sent) == 8
    assert set(sent.values()) <= {"opaque", "error"}
    read = {name: what for name, what in seen.items() if re.match(r"read|json|script|image", name)}
    assert len(read) == 6
    assert set(read.values()) == {"error"}
    sockets = {what for name, what in seen.items() if name.startswith("socket")}
    assert sockets == {"closed"}


@attack(
    by="web page",
    what="A name that leads to this host (DNS rebinding), opened as a page of its own",
    answer="421 instead of the UI",
)
@pytest.mark.parametrize("path", ["/", "/api/admin/settings", "/ui-settings"])
def test_a_foreign_name_shows_nothing(bare_server: Server, path: str):
    page = shown(f"http://evil.example:{bare_server.port}{path}", 3000)
    assert "is not a name of this server" in page
    assert "api_url" not in page


def test_the_ui_shows_its_dashboard(bare_server: Server):
    assert DASHBOARD in shown(f"http://127.0.0.1:{bare_server.port}/")


def test_a_link_in_a_mail_leads_to_the_ui(bare_server: Server):
    """A page of another site that sends the browser there stands for the email."""
    url = f"http://127.0.0.1:{bare_server.port}/"
    with site({"/": f"<script>location.href = '{url}'</script>"}) as mail:
        assert DASHBOARD in shown(mail.url("evil.example"))


def test_the_ui_asks_for_the_login_and_works_with_it(closed_server: Server):
    """With CSRF protection: the dashboard's numbers are POST requests."""
    with opened(f"http://127.0.0.1:{closed_server.port}/") as browser:
        wait_until(lambda: "Login" in str(evaluate(browser, TEXT)), 60, 0.3)
        assert DASHBOARD not in evaluate(browser, TEXT)
        evaluate(browser, LOG_IN.replace("LOGIN", json.dumps(LOGIN)))
        wait_until(lambda: DASHBOARD in str(evaluate(browser, TEXT)), 60, 0.3)
