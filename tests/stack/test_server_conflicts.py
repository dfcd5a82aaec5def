"""Two clients that create the same object at once: one gets 409, and the server's log shows no error."""

from pathlib import Path

import httpx

from tests.support.contrib_postgres import ContribPostgres, server_on
from tests.support.processes import Server

LIMIT = {"name": "claims-of-analytics", "limit": 1}


def created_twice(server: Server) -> None:
    url = f"{server.api_url}/v2/concurrency_limits/"
    first, second = (httpx.post(url, json=LIMIT, timeout=60) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 409)
    assert httpx.get(f"{url}{LIMIT['name']}", timeout=60).json()["id"] == first.json()["id"]
    assert "Traceback" not in server.output()
    assert "IntegrityError" not in server.output()


def test_on_sqlite(tmp_path: Path):
    with Server(tmp_path) as server:
        created_twice(server)


def test_on_postgresql(contrib_postgres: ContribPostgres, tmp_path: Path):
    with server_on(contrib_postgres, tmp_path / "home") as server:
        created_twice(server)
