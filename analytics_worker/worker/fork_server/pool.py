"""The fork servers of one worker: a lasting one, and one that has dbt in it and is there while it is needed.

Starts and ends processes; writes nothing.
"""

import asyncio

from prefect.logging import get_logger

from analytics_worker.worker.fork_server.client import ChildProcess, ForkServerClient
from analytics_worker.worker.fork_server.protocol import ForkRequest

logger = get_logger("analytics_worker.worker.fork_server.pool")


class ForkServerPool:
    """Chooses the fork server that a child is forked from."""

    def __init__(self, plain: ForkServerClient, spare: ForkServerClient) -> None:
        """Set the fork servers; nothing is started yet.

        Args:
            plain: For most runs.
            spare: For runs with a warm process, which needs more to be preloaded.
        """
        self._plain = plain
        self._spare = spare
        self._preparing: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None

    async def ensure(self) -> None:
        """Have the lasting one ready."""
        await self._plain.ensure()

    def expect_spare(self) -> None:
        """Begin to make the other one ready: a run that needs it is about to come."""
        if self._is_preparing():
            return
        self._preparing = asyncio.create_task(self._spare.ensure())
        self._preparing.add_done_callback(_log_failure)

    async def fork(self, request: ForkRequest) -> ChildProcess:
        """A new child. Without a warm process, if a run comes unexpected: it needs no time to start.

        Raises:
            OSError: this host can't fork.
            ConnectionError: the fork server died twice.
        """
        if not request["spare"]:
            return await self._plain.fork(request)
        if self._spare.is_ready or self._is_preparing():
            return await self._spare.fork(request)
        child = await self._plain.fork({**request, "spare": False})
        self._following = asyncio.create_task(self._prepare_after(child))
        return child

    def _is_preparing(self) -> bool:
        return self._preparing is not None and not self._preparing.done()

    async def _prepare_after(self, child: ChildProcess) -> None:
        """Make the other one ready for the next run, but not beside this one: it takes longer than it would save."""
        await child.exited.wait()
        self.expect_spare()

    async def recycle(self) -> None:
        """Fork later children from new fork servers."""
        await asyncio.gather(self._plain.recycle(), self._spare.recycle())

    async def close(self) -> None:
        """End them, and start no other."""
        for task in filter(None, (self._following, self._preparing)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.gather(self._plain.close(), self._spare.close())


def _log_failure(preparing: asyncio.Task[None]) -> None:
    """The run that needs it tries again."""
    if not preparing.cancelled() and preparing.exception() is not None:
        logger.warning("the fork server is not ready yet: %r", preparing.exception())
