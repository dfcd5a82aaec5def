"""Keep what each run would ask the server before it starts: its default storage of results, and whether it wants CSRF tokens.

Reads the Prefect API, once a minute while runs start; writes nothing.
"""

import math
import time
from contextlib import suppress
from typing import TypedDict

import httpx
from prefect.client.orchestration import PrefectClient

from analytics_worker.worker.prefect_internals import wants_csrf_tokens

KEEP_SECONDS = 60.0
"""How long a run may take a default storage for current that has been changed."""


class Facts(TypedDict, total=False):
    """What a run's process need not ask; what is missing, it asks."""

    result_storage: str | None
    """Id of the block that the server names as default storage of results; None: it names none."""
    csrf: bool


class ServerFacts:
    """The facts of one server."""

    def __init__(self) -> None:
        self._facts = Facts()
        self._read_at = -math.inf

    def known(self, client: PrefectClient) -> Facts:
        """Return what is known now."""
        return {**self._facts, "csrf": wants_csrf_tokens(client)}

    async def refresh(self, client: PrefectClient) -> None:
        """Read what was read more than a minute ago; what can't be read now is not known."""
        if time.monotonic() - self._read_at < KEEP_SECONDS:
            return
        self._facts = Facts()
        with suppress(httpx.HTTPError):
            storage = await client.read_server_default_result_storage()
            block = storage.default_result_storage_block_id
            self._facts["result_storage"] = None if block is None else str(block)
            self._read_at = time.monotonic()
