"""Let the server's automations connect only to public addresses and to OUTBOUND_ALLOWED_HOSTS.

The server itself calls webhooks and sends notifications, to the address in a block, and every user of the
API can write blocks and read the answers in events. Here the blocks of these two actions connect within
`analytics_worker.transport.connection_guard`. The server's own database and messaging do not. apprise's
services and parameters are limited as in Apprise Channels. Reads settings and the DNS; changes classes of
Prefect in this process, once.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import lru_cache, wraps
from ipaddress import ip_network
from typing import Any
from weakref import WeakSet

from prefect.blocks.abstract import NotificationError
from prefect.blocks.notifications import AbstractAppriseNotificationBlock
from prefect.server.events.actions import CallWebhook, SendNotification
from pydantic import SecretStr
from typing_extensions import override

from analytics_worker.delivery.channels.apprise_plugin import load_plugin
from analytics_worker.transport.address_filter import (
    AllowList,
    ForbiddenAddressError,
    configured_allow_list,
    resolve_addresses,
)
from analytics_worker.transport.connection_guard import restrict_connections

BLOCK_OF_ACTION = {
    CallWebhook: "_get_webhook_block",
    SendNotification: "_get_notification_block",
}
_prepared: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


@lru_cache(maxsize=1)
def restrict_actions() -> None:
    """Let the actions of this process connect to permitted addresses only."""
    for action, method in BLOCK_OF_ACTION.items():
        setattr(action, method, _restrict_block(getattr(action, method)))
    start = "_start_apprise_client"
    checked = _check_urls(getattr(AbstractAppriseNotificationBlock, start))
    setattr(AbstractAppriseNotificationBlock, start, checked)


class RestrictedBlock:
    """The block of an action; what it sends goes to permitted addresses only."""

    def __init__(self, block: Any) -> None:
        self._block = block

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the block itself: what connects is defined below."""
        return getattr(self._block, name)

    async def call(self, payload: Any = None) -> Any:
        """Call the webhook.

        Raises:
            ForbiddenAddressError: its address is not permitted.
        """
        with restrict_connections(await _permitted()):
            return await self._block.call(payload=payload)

    async def notify(self, body: str, subject: str | None = None) -> None:
        """Send the notification.

        Raises:
            NotificationError: it was not sent; the action fails with its log, and is not repeated.
        """
        try:
            with restrict_connections(await _permitted()):
                await self._block.notify(body=body, subject=subject)
        except ForbiddenAddressError as error:
            raise NotificationError(str(error)) from None


class ContextExecutor(ThreadPoolExecutor):
    """Threads that run each function in the context of its caller.

    apprise sends in the default threads of the event loop. Without the context they have no guard.
    """

    @override
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it with a copy of the current context."""
        return super().submit(copy_context().run, fn, *args, **kwargs)


async def _permitted() -> AllowList:
    """The allow-list with the addresses of its names: while connecting, the loop can't wait for the DNS.

    Raises:
        ForbiddenAddressError: this event loop connects without Python's audit events.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.BaseEventLoop):
        raise ForbiddenAddressError("Connections of this event loop can't be checked; use asyncio.")
    if loop not in _prepared:
        loop.set_default_executor(ContextExecutor(thread_name_prefix="asyncio"))
        _prepared.add(loop)
    return await asyncio.to_thread(_resolved)


def _resolved() -> AllowList:
    allowed = configured_allow_list()
    addresses = [
        each for name in allowed.names for each in resolve_addresses(name) if "%" not in each
    ]
    return AllowList(networks=(*allowed.networks, *map(ip_network, addresses)))


def _restrict_block(load: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(load)
    async def loading(*args: Any, **kwargs: Any) -> RestrictedBlock:
        return RestrictedBlock(await load(*args, **kwargs))

    return loading


def _check_urls(start: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse apprise's services and parameters that act on this machine, or open files of it."""

    @wraps(start)
    def starting(block: Any, url: SecretStr) -> None:
        from apprise.utils.parse import parse_urls  # noqa: PLC0415  # 0.2 s that only its users wait for

        for each in parse_urls(url.get_secret_value()):
            load_plugin(SecretStr(each))
        start(block, url)

    return starting
