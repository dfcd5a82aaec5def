"""The documentation beside the UI, to which the descriptions of deployments lead."""

import re
from http import HTTPStatus

import pytest

from analytics_worker.prefect_support.deployments import deployed_flows
from tests.support.attacks import attack
from tests.support.guarded_server import own_host
from tests.support.processes import Server
from tests.support.raw_http import Answer, send


def get(server: Server, path: str) -> Answer:
    return send(server.port, "GET", path, (), host=own_host(server))


def test_links_of_descriptions_lead_to_headings(bare_server: Server):
    targets = {
        target
        for each in deployed_flows()
        for target in re.findall(r"\((/documentation/[^)]+)\)", each.deployment.description)
    }
    assert targets
    for path, anchor in (target.split("#") for target in targets):
        answer = get(bare_server, path)
        assert answer.status == HTTPStatus.OK
        assert f' id="{anchor}"'.encode() in answer.body


def test_pages_have_tables_and_pictures(bare_server: Server):
    page = get(bare_server, "/documentation/monitoring.md")
    assert b"<table>" in page.body
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    pictures = re.findall(rb'<img src="(images/[^"]+)"', page.body)
    assert pictures
    picture = get(bare_server, f"/documentation/{pictures[0].decode()}")
    assert picture.headers["content-type"].startswith("image/")


@attack(
    by="API caller",
    what="paths that lead out of docs/, to folders, or to files that are no pages",
    answer="404",
)
@pytest.mark.parametrize(
    "name",
    [
        "../prefect.yaml",
        "..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd",
        "../README.md",
        "images",
        "",
        "nosuch.md",
        "a%00b.md",
        "x" * 5000,
    ],
)
def test_only_pages_of_the_documentation_are_shown(bare_server: Server, name):
    answer = get(bare_server, f"/documentation/{name}")
    assert answer.status == HTTPStatus.NOT_FOUND
    assert b"no such page" in answer.body


def test_the_ui_and_the_api_are_where_they_were(bare_server: Server):
    assert get(bare_server, "/api/health").body == b"true"
    assert get(bare_server, "/").status in {HTTPStatus.OK, HTTPStatus.TEMPORARY_REDIRECT}
