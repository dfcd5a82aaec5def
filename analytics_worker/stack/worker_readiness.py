"""Whether workers of the stack serve its pools. Asks the Prefect API without Prefect's client, which takes 90 MB.

Reads the heartbeats of workers; writes nothing.
"""

import http.client
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any
from uuid import uuid4

from analytics_worker.stack_address import API_LOGIN

TIMEOUT_SECONDS = 5.0


def workers_poll(
    host: str, port: int, environment: Mapping[str, str], pools: Sequence[str], started: datetime
) -> bool:
    """Whether on every pool a worker has reported since then."""
    with closing(http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)) as connection:
        try:
            api = _Api(connection, environment.get(API_LOGIN))
            return all(_polls(api.workers(pool), started) for pool in pools)
        except (OSError, http.client.HTTPException, ValueError):
            return False


def _polls(workers: Sequence[Mapping[str, Any]], started: datetime) -> bool:
    beats = (worker["last_heartbeat_time"] for worker in workers)
    return any(beat and datetime.fromisoformat(beat) >= started for beat in beats)


class _Api:
    """A few requests over one connection."""

    def __init__(self, connection: http.client.HTTPConnection, login: str | None) -> None:
        self._connection = connection
        self._headers = {"Content-Type": "application/json"}
        if login:
            self._headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        self._headers |= self._csrf_headers()

    def workers(self, pool: str) -> Sequence[Mapping[str, Any]]:
        """Return the workers that a pool has had; none for one that does not exist yet."""
        status, found = self._request("POST", f"/api/work_pools/{pool}/workers/filter", "{}")
        return found if status == http.HTTPStatus.OK else ()

    def _csrf_headers(self) -> dict[str, str]:
        """Return what the server requires of a request that may write, if it does."""
        client = str(uuid4())
        status, answer = self._request("GET", f"/api/csrf-token?client={client}")
        if status != http.HTTPStatus.OK:
            return {}
        return {"Prefect-Csrf-Client": client, "Prefect-Csrf-Token": answer["token"]}

    def _request(self, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        return response.status, json.loads(
            content
        ) if response.status == http.HTTPStatus.OK else None
