"""From a channel's name to something that sends: mail, web hook, Slack, apprise.

Reads the settings for the channels ``email``, ``webhook`` and ``slack``, and Prefect blocks for all
others; writes nothing but messages. Sending is what both deliveries and tests of a channel use.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from analytics_worker.delivery.channels.email import email_allow_list
from analytics_worker.delivery.retry import service_name
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SendResult
from analytics_worker.settings import settings
from analytics_worker.transport.address_filter import AllowList
from analytics_worker.transport.mail import Mail, SmtpSession, parse_address, smtp_session
from analytics_worker.transport.slack_text import slack_escaped
from analytics_worker.transport.webhook import webhook_session
from analytics_worker.transport.webhook_url import Target, parse_url
from blocks.notifications import (
    BLOCKS,
    AppriseChannel,
    ChannelBlock,
    EmailChannel,
    SlackChannel,
    WebhookChannel,
)
from flows.alerts.notifications.apprise_channel import apprise_sender, apprise_service
from flows.alerts.notifications.parcel import Parcel, Sender

SLACK_TEXT = 3000


class UnknownChannelError(PermanentError):
    """Nothing is configured under the name."""


@dataclass(frozen=True)
class Channel:
    """A way to reach people."""

    name: str
    service: str
    """Name of the circuit breaker of the host behind it."""
    posters: int
    """Messages that may be on their way at the same time."""
    recipients: list[str]
    """Who gets what is not addressed to anybody."""
    session: Callable[[], AbstractContextManager[Sender]]
    """Connections for a batch; one for each thread."""


def channel(name: str) -> Channel:
    """The channel of this name.

    Raises:
        UnknownChannelError: neither settings nor a block define it; the message says how to.
        PermanentError: its address can't be used.
    """
    default = _default(name)
    block = default or _stored(name)
    match block:
        case EmailChannel():
            allowed = None if default else email_allow_list(block.host, block.port)
            return _email(name, block, allowed)
        case WebhookChannel():
            target = parse_url(block.url.get_secret_value())
            return _hook(name, target, lambda: _webhook_sender(block))
        case SlackChannel(url=SecretStr() as url):
            target = parse_url(url.get_secret_value())
            return _hook(name, target, lambda: _slack_sender(url))
        case AppriseChannel():
            service = apprise_service(block.url)
            return Channel(name, service, 1, [name], lambda: apprise_sender(block.url))
        case _:
            raise UnknownChannelError(f"Channel {name!r} is not supported here yet.")


def send_now(name: str, parcel: Parcel) -> SendResult:
    """Send one message past the outbox, by the same way and with the same checks: for tests."""
    with channel(name).session() as send:
        return send(parcel)


def _default(name: str) -> ChannelBlock | None:
    """The channels that settings define."""
    chosen = settings()
    if name == "email" and chosen.alert_email_host:
        sender = chosen.alert_email_from or chosen.alert_email_user
        if sender is None:
            raise UnknownChannelError("Channel 'email' has no sender: set ALERT_EMAIL_FROM.")
        return EmailChannel(
            host=chosen.alert_email_host,
            port=chosen.alert_email_port,
            security=chosen.alert_email_tls,
            user=chosen.alert_email_user,
            password=chosen.alert_email_password,
            sender=sender,
            to=[address for address in chosen.alert_email_to if address],
        )
    if name == "webhook" and chosen.alert_webhook_url:
        return WebhookChannel(url=chosen.alert_webhook_url, secret=chosen.alert_webhook_secret)
    if name == "slack" and chosen.alert_slack_url:
        return SlackChannel(url=chosen.alert_slack_url)
    return None


def _stored(name: str) -> ChannelBlock:
    """The block of this name, of whichever type comes first."""
    for kind in BLOCKS:
        try:
            return kind.load(name, _sync=True)  # pyright: ignore[reportCallIssue]
        except ValueError:  # Prefect's word for: there is none
            continue
    variable = {
        "email": "ALERT_EMAIL_HOST",
        "webhook": "ALERT_WEBHOOK_URL",
        "slack": "ALERT_SLACK_URL",
    }
    how = f"set {variable[name]}" if name in variable else "no block of a channel type is named so"
    raise UnknownChannelError(f"Channel {name!r} is not configured: {how}.")


def _email(name: str, block: EmailChannel, allowed: AllowList | None) -> Channel:
    server = block.server(settings().alert_email_timeout_seconds, allowed)
    service = service_name(block.host, block.port)

    @contextmanager
    def session() -> Generator[Sender]:
        with smtp_session(server) as smtp:
            yield lambda parcel: _mail(smtp, block.sender, parcel)

    return Channel(name, service, 1, block.to, session)


def _mail(smtp: SmtpSession, sender: str, parcel: Parcel) -> SendResult:
    mail = Mail(
        message_id=message_id(parcel.key, sender),
        sender=sender,
        to=(parcel.recipient,),
        subject=parcel.subject,
        text=parcel.text,
        html=parcel.html,
    )
    return smtp.send(mail, parcel.recipient)


def message_id(key: str, sender: str) -> str:
    """The Message-ID of a key: the key itself if it is one already."""
    return key if key.startswith("<") else f"<{key}@{parse_address(sender).domain}>"


def _hook(
    name: str, target: Target, session: Callable[[], AbstractContextManager[Sender]]
) -> Channel:
    service = service_name(target.host, target.port)
    return Channel(name, service, settings().alert_delivery_posters, [name], session)


@contextmanager
def _webhook_sender(block: WebhookChannel) -> Generator[Sender]:
    with webhook_session(block.url, block.secret, connections=1) as hook:
        yield lambda parcel: hook.post(
            parcel.json or {"subject": parcel.subject, "text": parcel.text}, parcel.key
        )


@contextmanager
def _slack_sender(url: SecretStr) -> Generator[Sender]:
    with webhook_session(url, connections=1) as hook:
        yield lambda parcel: hook.post({"text": slack_text(parcel)}, parcel.key)


def slack_text(parcel: Parcel) -> str:
    """Subject in bold and text, with Slack's three special characters escaped."""
    full = f"*{slack_escaped(parcel.subject)}*\n{slack_escaped(parcel.text)}"
    return full if len(full) <= SLACK_TEXT else f"{full[:SLACK_TEXT]}\n… (shortened)"
