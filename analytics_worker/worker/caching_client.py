"""Prefect's client, as the worker uses it while it submits one run: what it has read is not asked again.

Prefect reads the deployment three times between the queue and the process. Here it is read once per
run, together with the flow. Nothing is kept from one run to the next: an edit is seen by the next run.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import Flow, FlowRun, State
from prefect.client.schemas.responses import DeploymentResponse, OrchestrationResult
from prefect.exceptions import ObjectNotFound

_cache: ContextVar[dict[UUID, Any] | None] = ContextVar("known", default=None)
"""The objects of the run that this asyncio task submits; tasks inherit it from the task that starts them."""


class CachingClient:
    """Anything else is Prefect's client."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        """Attributes of the client."""
        return getattr(self._client, name)

    async def read_deployment(self, deployment_id: UUID) -> DeploymentResponse:
        """The deployment, as it was when the run was claimed."""
        cached = (_cache.get() or {}).get(deployment_id)
        return cached or await self._client.read_deployment(deployment_id)

    async def read_flow(self, flow_id: UUID) -> Flow:
        """The flow, as it was when the run was claimed."""
        cached = (_cache.get() or {}).get(flow_id)
        return cached or await self._client.read_flow(flow_id)

    async def set_flow_run_state(
        self, flow_run_id: UUID, state: State[Any], force: bool = False
    ) -> OrchestrationResult[Any]:
        """Propose the state, and keep the one that the run has now."""
        answer = await self._client.set_flow_run_state(flow_run_id, state, force=force)
        if (cache := _cache.get()) is not None:
            cache[flow_run_id] = answer.state
        return answer

    @staticmethod
    def last_state(flow_run_id: UUID) -> State[Any] | None:
        """Return the state that the server gave the run when it was claimed."""
        return (_cache.get() or {}).get(flow_run_id)

    def prefetch(self, flow_run: FlowRun) -> Awaitable[object]:
        """Read what the run needs, for the task that calls this and those that it starts.

        An object that does not exist is reported to the code that reads it.
        """
        results: dict[UUID, Any] = {}
        _cache.set(results)

        async def read_into_cache(key: UUID | None, read: Callable[[UUID], Awaitable[Any]]) -> None:
            if key is not None:
                with suppress(ObjectNotFound):
                    results[key] = await read(key)

        return asyncio.gather(
            read_into_cache(flow_run.deployment_id, self._client.read_deployment),
            read_into_cache(flow_run.flow_id, self._client.read_flow),
        )
