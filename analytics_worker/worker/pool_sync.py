"""Keep the worker of a pool known to the server, and say what is wrong where that is not possible.

Reads the pool; writes heartbeats. Prefect's worker takes a pool that was deleted for a server that fails.
"""

from abc import ABC
from http import HTTPStatus

import anyio
import httpx
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from typing_extensions import override

from analytics_worker.prefect_support.api_problems import api_problem
from analytics_worker.prefect_support.pagination import LARGEST_PAGE
from analytics_worker.prefect_support.stopped_work import missing_pool
from analytics_worker.worker.run_starter import RunStarter

RETRY_SECONDS = 2.0


class PoolSync(RunStarter, ABC):
    """The part of a pool's worker that sends heartbeats and reads the pool."""

    _is_missing = False
    """Whether the server did not have the pool when it was last asked for it."""

    async def keep_in_sync(self) -> None:
        while True:
            synced = self._has_successfully_synced and not self._is_missing
            await anyio.sleep(self.heartbeat_interval_seconds if synced else RETRY_SECONDS)
            try:
                await self._sync_and_initialize()
            except (httpx.HTTPError, OSError) as error:
                self._logger.warning("no heartbeat: %s", api_problem(error))

    @override
    async def _sync_and_initialize(self) -> None:
        """Prefect's, while the server has the pool."""
        if self._is_missing and not await self._finds_pool():
            return
        try:
            await super()._sync_and_initialize()
        except PrefectHTTPStatusError as error:
            is_unknown = error.response.status_code == HTTPStatus.NOT_FOUND
            if not is_unknown or await self._finds_pool():
                raise
        if self._work_pool is None:
            await self._finds_pool()

    async def _finds_pool(self) -> bool:
        """Whether the server has the pool; a change is logged, with what to do."""
        try:
            await self.client.read_work_pool(self.pool)
        except ObjectNotFound:
            if not self._is_missing:
                existing = await self.client.read_work_pools(limit=LARGEST_PAGE)
                problem = missing_pool(self.pool, [pool.name for pool in existing])
                self._logger.warning("%s. Until then no runs are claimed.", problem)
            self._is_missing = True
        else:
            if self._is_missing:
                self._logger.info("work pool %s exists again: runs are claimed", self.pool)
            self._is_missing = False
        return not self._is_missing
