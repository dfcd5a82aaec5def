"""What one run's submission has read is not asked again, and no other run sees it."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.exceptions import ObjectNotFound

from analytics_worker.worker.caching_client import CachingClient

GONE = uuid4()


@dataclass
class Library:
    """Answers reads and counts them; the edition changes with every read."""

    asked: list[UUID] = field(default_factory=list[UUID])

    async def read_deployment(self, key: UUID) -> str:
        self.asked.append(key)
        if key == GONE:
            raise ObjectNotFound(httpx.HTTPError("404"))
        return f"edition {len(self.asked)}"

    read_flow = read_deployment

    def get_scheduled(self) -> str:
        return "passed on"


def run_of(deployment: UUID | None) -> Any:
    return SimpleNamespace(deployment_id=deployment, flow_id=uuid4())


async def submit(library: Library, run: Any) -> list[str]:
    await CachingClient(library).prefetch(run)  # pyright: ignore[reportArgumentType]
    client: Any = CachingClient(library)  # pyright: ignore[reportArgumentType]
    later = asyncio.create_task(client.read_deployment(run.deployment_id))
    return [await client.read_deployment(run.deployment_id), await later]


def test_a_run_is_submitted_with_what_was_read_once():
    library, run = Library(), run_of(uuid4())
    first, later = asyncio.run(submit(library, run))
    assert first == later
    assert sorted(library.asked) == sorted([run.deployment_id, run.flow_id])


def test_the_next_run_sees_an_edit():
    async def two_runs() -> list[list[str]]:
        library, deployment = Library(), uuid4()
        tasks = [submit(library, run_of(deployment)) for _ in range(2)]
        return [await asyncio.create_task(task) for task in tasks]

    old, new = asyncio.run(two_runs())
    assert old[0] != new[0]


def test_what_does_not_exist_is_missed_by_whoever_asks():
    async def ask() -> None:
        client: Any = CachingClient(Library())  # pyright: ignore[reportArgumentType]
        await client.prefetch(run_of(GONE))
        with pytest.raises(ObjectNotFound):
            await client.read_deployment(GONE)

    asyncio.run(ask())


def test_everything_else_is_the_client_s():
    client: Any = CachingClient(Library())  # pyright: ignore[reportArgumentType]
    assert client.get_scheduled() == "passed on"
