"""Send messages through Apprise, which supports a hundred services.

Apprise reports only success or failure, and its log may contain addresses with tokens, so neither its
log nor its errors are passed on. It loads no pictures from a public host, follows no redirects and
mentions no users here. It can open an incident, but not resolve one: PagerDuty and Opsgenie have channels
of their own. `apprise_plugin` decides where it connects. Writes nothing but messages.
"""

import html
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from analytics_worker.delivery import escaping
from analytics_worker.delivery.channels.apprise_plugin import (
    check_plugin_host,
    load_plugin,
    restrict_plugin_connections,
    schemas,
)
from analytics_worker.delivery.channels.base import Channel, Sender
from analytics_worker.delivery.channels.card import Card, card_of
from analytics_worker.delivery.channels.factory import http_channel
from analytics_worker.delivery.message import Content, OutgoingMessage, Severity
from analytics_worker.send_result import SENT, SendResult, not_configured, temporary
from analytics_worker.telemetry import timed_request
from analytics_worker.transport.address_filter import ForbiddenAddressError
from blocks.notifications import AppriseChannel

# They show Markdown, independent of the declared format of the text.
MARKDOWN_SCHEMES = frozenset(
    {"discord", "guilded", "mmost", "mmosts", "revolt", "rocket", "rockets", "ryver", "zulip"}
)

MAX_TITLE = 250
MAX_LABEL = 100
MIN_TEXT = 60
NO_TEXT = "(no text)"

NOTIFY_TYPES: dict[Severity | None, str] = {
    "critical": "failure",
    "warning": "warning",
    "ok": "success",
    "info": "info",
    None: "info",
}


def open_channel(name: str, block: AppriseChannel) -> Channel:
    """Return the channel of a block; nothing is opened before it sends.

    Raises:
        PermanentError: Apprise can't use the address, or a webhook channel is meant for it.
    """
    target = service_name(block.url)

    @contextmanager
    def session() -> Generator[Sender]:
        plugin = _plugin(block.url)
        yield lambda message: _notify(plugin, message)

    def check() -> None:
        check_plugin_host(_plugin(block.url))

    opened = http_channel(name, "apprise", target, session, block.rate, check=check)
    return replace(opened, concurrency=1)


def service_name(url: SecretStr) -> str:
    """Return the service's name; the host part of Apprise's addresses may be a token.

    Raises:
        PermanentError: Apprise can't use the address, or a webhook channel is meant for it.
    """
    return type(_plugin(url)).__name__.removeprefix("Notify").lower()


def _plugin(url: SecretStr) -> Any:
    return load_plugin(url, _asset())


def _asset() -> Any:
    """Return settings with which Apprise loads, follows, stores and interprets nothing."""
    from apprise import AppriseAsset, NotifyFormat, PersistentStoreMode  # noqa: PLC0415

    return AppriseAsset(
        app_id="Analytics worker",
        app_desc="Analytics worker",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        body_format=NotifyFormat.TEXT,
        interpret_emojis=False,
        interpret_escapes=False,
        http_redirects=False,
        storage_mode=PersistentStoreMode.MEMORY,
    )


@timed_request("apprise")
def _notify(plugin: Any, message: OutgoingMessage) -> SendResult:
    try:
        with restrict_plugin_connections(plugin):
            if _deliver(plugin, message):
                return SENT
    except ForbiddenAddressError as error:
        return not_configured(f"{plugin.service_name}: {error}")
    return temporary(f"Apprise could not deliver through {plugin.service_name}", outage=True)


def _deliver(plugin: Any, message: OutgoingMessage) -> bool:
    """Send with Apprise, which escapes for services that show HTML."""
    from apprise import Apprise, NotifyFormat  # noqa: PLC0415

    card, escape = card_of(message.content), _escape(plugin)
    apprise = Apprise(asset=plugin.asset)
    apprise.add(plugin)
    subject = escaping.single_line(message.content.subject)
    title = escaping.cut(subject, MAX_TITLE, escape=escape, measure=len)
    sent = apprise.notify(
        title=title,
        body=_text(message.content, card, escape, int(plugin.body_maxlen) - len(title) - 2),
        notify_type=NOTIFY_TYPES[card.tone],
        body_format=NotifyFormat.TEXT,
    )
    return bool(sent)


def _escape(plugin: Any) -> escaping.Escape:
    shows_markdown = plugin.notify_format == "markdown" or not MARKDOWN_SCHEMES.isdisjoint(
        schemas(plugin)
    )
    return escaping.markdown if shows_markdown else escaping.chat


def _text(content: Content, card: Card, escape: escaping.Escape, limit: int) -> str:
    """Return the text, followed by the links that it does not contain, or that may be cut from it."""
    end = ""
    for link in card.links:
        line = f"\n{escaping.cut(link.label, MAX_LABEL, escape=escape)}: {link.url}"
        is_cut = link is card.links[0] and len(content.text) > limit // 2
        if (is_cut or link.url not in content.text) and len(end) + len(line) < limit // 2:
            end += line
    measure = _length_in_html if escape is escaping.chat else len
    remaining = max(limit - len(end), MIN_TEXT)
    text = escaping.cut(content.text, remaining, escape=escape, measure=measure)
    return f"{text}{end}".strip() or NO_TEXT  # Apprise sends nothing without a body


def _length_in_html(text: str) -> int:
    """Count as if Apprise turned the text into HTML, which it does for some services."""
    return len(html.escape(text)) + 5 * text.count("\n")
