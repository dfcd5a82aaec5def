"""Resolve channel names and owners, and return the default recipients.

Reads the settings for the channels ``email``, ``webhook`` and ``slack``, and Prefect blocks for all
others; writes nothing but messages. A channel's module is imported when the channel is first used.
"""

import time
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from analytics_worker.delivery.message import Message, OutgoingMessage, Recipient
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SendResult
from analytics_worker.settings import settings

if TYPE_CHECKING:
    from analytics_worker.delivery.channels.base import Channel

CHANNEL_MODULES = {
    f"{kind}-channel": f"analytics_worker.delivery.channels.{kind}"
    for kind in (
        "apprise",
        "email",
        "opsgenie",
        "pagerduty",
        "slack",
        "teams",
        "telegram",
        "webhook",
    )
}
"""By the slug of a block's type: the module whose ``open_channel(name, block)`` opens the channel."""


class UnknownChannelError(PermanentError):
    """No channel is configured under the name."""


class InvalidChannelError(PermanentError):
    """A block of that name is stored, but its fields are not valid."""


class ChannelUnavailableError(Exception):
    """The Prefect API, which stores the blocks, is unavailable."""


def channel(name: str) -> "Channel":
    """Return the channel of this name.

    Raises:
        UnknownChannelError: neither settings nor a block define it; the message contains the fix.
        PermanentError: its configuration can't be used.
        ChannelUnavailableError: the blocks can't be read now.
    """
    return open_channel(name, _default_block(name) or _stored_block(name))


def open_channel(name: str, block: Any) -> "Channel":
    """Return the channel of a block of any type.

    Raises:
        UnknownChannelError: no channel supports the block's type.
        PermanentError: its configuration can't be used; the message never repeats its address.
    """
    slug: str = block.get_block_type_slug()
    module = CHANNEL_MODULES.get(slug)
    if module is None:
        raise UnknownChannelError(f"Channel {name!r}: blocks of type {slug!r} are not supported.")
    return cast("Channel", import_module(module).open_channel(name, block))


def _default_block(name: str) -> Any:
    """Return the block that settings define under this name, if any."""
    if name == "email":
        return _email_block()
    from blocks.notifications import SlackChannel, WebhookChannel  # noqa: PLC0415  # imports Prefect

    current = settings()
    if name == "webhook" and current.alert_webhook_url:
        return WebhookChannel(url=current.alert_webhook_url, secret=current.alert_webhook_secret)
    if name == "slack" and current.alert_slack_url:
        return SlackChannel(url=current.alert_slack_url)
    return None


def _email_block() -> Any:
    from blocks.notifications import EmailChannel  # noqa: PLC0415  # imports Prefect

    current = settings()
    if not current.alert_email_host:
        return None
    return EmailChannel(
        host=current.alert_email_host,
        port=current.alert_email_port,
        security=current.alert_email_tls,
        user=current.alert_email_user,
        password=current.alert_email_password,
        sender=sender_address(),
        to=[address for address in current.alert_email_to if address],
    )


def sender_address() -> str:
    """Return the From address of emails.

    Raises:
        UnknownChannelError: the settings define none.
    """
    sender = settings().alert_email_from or settings().alert_email_user
    if sender is None:
        raise UnknownChannelError("Channel 'email' has no sender: set ALERT_EMAIL_FROM.")
    return sender


def _stored_block(name: str) -> Any:
    """Return the block of this name, of whichever type comes first."""
    from httpx import HTTPError  # noqa: PLC0415
    from prefect.exceptions import PrefectException  # noqa: PLC0415  # takes a second

    from blocks.notifications import CHANNEL_BLOCKS  # noqa: PLC0415

    for kind in CHANNEL_BLOCKS:
        try:
            return kind.load(name, _sync=True)  # pyright: ignore[reportCallIssue]
        except (PrefectException, HTTPError, OSError, ValueError, RuntimeError) as error:
            if invalid := _invalid_fields(error):
                raise InvalidChannelError(
                    f"Channel {name!r} can't be used: {invalid}. Edit the block in the Prefect UI."
                ) from error
            if isinstance(error, ValueError):  # Prefect's error for a missing block
                continue
            raise ChannelUnavailableError(
                unavailable_message(f"channel {name!r}", error)
            ) from error
    raise UnknownChannelError(_unknown_channel_message(name))


def _invalid_fields(error: BaseException) -> str:
    """Return the fields of a stored block that are not valid, without their values; empty if valid."""
    causes = (error, error.__cause__)
    validation_error = next((cause for cause in causes if isinstance(cause, ValidationError)), None)
    if validation_error is None:
        return ""
    details = validation_error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in details)


def unavailable_message(subject: str, error: BaseException) -> str:
    """Return why something could not be read from the Prefect API, with the fix if it is known."""
    from analytics_worker.prefect_support.api_client import refusal_message  # noqa: PLC0415  # Prefect

    reason = refusal_message(error) or type(error).__name__
    return f"{subject} could not be read from the Prefect API: {reason}"


def _unknown_channel_message(name: str) -> str:
    variables = {
        "email": "set ALERT_EMAIL_HOST (and ALERT_EMAIL_FROM)",
        "webhook": "set ALERT_WEBHOOK_URL",
        "slack": "set ALERT_SLACK_URL",
    }
    fix = variables.get(name, "create a channel block of that name in the Prefect UI")
    return f"Channel {name!r} is not configured: {fix}."


def default_recipients() -> list[Recipient]:
    """Return the recipients that ALERT_EMAIL_*, ALERT_WEBHOOK_URL and ALERT_SLACK_URL define."""
    current = settings()
    addresses = [to for to in current.alert_email_to if to] if current.alert_email_host else []
    hooks = {"webhook": current.alert_webhook_url, "slack": current.alert_slack_url}
    return [
        *(Recipient("email", address) for address in addresses),
        *(Recipient(name, name) for name, url in hooks.items() if url),
    ]


def owner_recipients(owner: str) -> list[Recipient]:
    """Return the recipient for an owner, or the default channels where nothing can email its address."""
    default = default_recipients()
    if "@" not in owner or not default or is_email_configured():
        return [owner_recipient(owner)]
    return [each._replace(role="owner") for each in default]


def unreachable_owner(owner: str) -> str | None:
    """Return a line about an owner whose address no mail server of the settings gets; None if one does."""
    if "@" not in owner or settings().alert_email_host:
        return None
    default = ", ".join(dict.fromkeys(each.channel for each in default_recipients()))
    instead = (
        f"the default channels ({default}) are notified"
        if default
        else "its messages wait until it is"
    )
    return f"owner {owner} can't be emailed: ALERT_EMAIL_HOST is not set; {instead}"


def is_email_configured() -> bool:
    """Whether addresses can be emailed: the settings, or a block named ``email``, define a mail server."""
    return bool(settings().alert_email_host) or _is_email_stored(int(time.monotonic() // 60))


@lru_cache(maxsize=1)
def _is_email_stored(_minute: int) -> bool:
    """Whether there is such a block; where that is unknown, sending shows it."""
    try:
        _stored_block("email")
    except UnknownChannelError:
        return False
    except (PermanentError, ChannelUnavailableError):
        return True
    return True


def owner_recipient(owner: str) -> Recipient:
    """Return the recipient for an owner: an email address or a channel's name."""
    return Recipient("email" if "@" in owner else owner, owner, "owner")


def recipients_of(name: str) -> list[Recipient]:
    """Return the recipients of messages that are addressed to a channel as a whole.

    Raises:
        PermanentError: it is not configured, or can't be used.
        ChannelUnavailableError: the blocks can't be read now.
    """
    return [Recipient(name, address) for address in channel(name).recipients]


def send_once(name: str, message: Message, recipient: Recipient, key: str) -> SendResult:
    """Send one message without the outbox: for tests of a channel, and without a database.

    Raises:
        PermanentError: the channel is not configured, or can't be used.
        ChannelUnavailableError: the blocks can't be read now.
    """
    from analytics_worker.delivery.session import ChannelSession  # noqa: PLC0415

    session = ChannelSession(channel(name))
    try:
        return session.send(OutgoingMessage(key, recipient.address, message.content))
    finally:
        session.close()
