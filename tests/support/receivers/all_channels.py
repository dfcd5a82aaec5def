"""All channels, opened on receivers of their own on loopback."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from analytics_worker.delivery.channels import opsgenie, pagerduty, slack, telegram
from analytics_worker.delivery.channels.base import Channel, Sender
from analytics_worker.delivery.message import Content, OutgoingMessage
from analytics_worker.delivery.routing import open_channel
from analytics_worker.send_result import SendResult
from analytics_worker.settings import settings
from blocks.notifications import (
    AppriseChannel,
    ChannelBlock,
    EmailChannel,
    OpsgenieChannel,
    PagerDutyChannel,
    SlackChannel,
    TeamsChannel,
    TelegramChannel,
    WebhookChannel,
)
from tests.support.http_sink import HttpSink
from tests.support.receivers.opsgenie import API_KEY, Opsgenie
from tests.support.receivers.pagerduty import ROUTING_KEY, PagerDuty
from tests.support.receivers.slack import CHANNEL, HOOK, Slack
from tests.support.receivers.slack import TOKEN as SLACK_TOKEN
from tests.support.receivers.teams import PATH, Teams
from tests.support.receivers.telegram import CHAT, Telegram
from tests.support.receivers.telegram import TOKEN as TELEGRAM_TOKEN
from tests.support.smtp_sink import SmtpSink

NAMES = (
    "email", "webhook", "slack", "slack-bot", "teams", "pagerduty", "opsgenie", "telegram", "discord",
)  # fmt: skip


@dataclass
class Receivers:
    """The receivers behind the channels."""

    email: SmtpSink
    webhook: HttpSink
    discord: HttpSink
    slack: Slack
    teams: Teams
    pagerduty: PagerDuty
    opsgenie: Opsgenie
    telegram: Telegram

    def block(self, name: str) -> ChannelBlock:
        """Return the block of a channel, as a user would fill it in."""
        blocks: dict[str, ChannelBlock] = {
            "email": EmailChannel(
                host="127.0.0.1", port=self.email.port, security="none", sender="kpi@example.com"
            ),
            "webhook": WebhookChannel(url=SecretStr(self.webhook.url), secret=SecretStr("s")),
            "slack": SlackChannel(url=SecretStr(f"{self.slack.url}{HOOK}")),
            "slack-bot": SlackChannel(bot_token=SecretStr(SLACK_TOKEN), channel=CHANNEL),
            "teams": TeamsChannel(url=SecretStr(f"{self.teams.url}{PATH}")),
            "pagerduty": PagerDutyChannel(routing_key=SecretStr(ROUTING_KEY)),
            "opsgenie": OpsgenieChannel(api_key=SecretStr(API_KEY), region="eu"),
            "telegram": TelegramChannel(bot_token=SecretStr(TELEGRAM_TOKEN), chat_id=CHAT),
            "discord": AppriseChannel(url=SecretStr(f"discord://{'4' * 20}/{'canary' * 11}")),
        }
        return blocks[name]

    def channel(self, name: str) -> Channel:
        return open_channel(name, self.block(name))

    def rejected(self) -> list[str]:
        """Return what the services refused since the last call."""
        services = (self.slack, self.teams, self.pagerduty, self.opsgenie, self.telegram)
        reasons = [reason for service in services for reason in service.rejected]
        for service in services:
            service.rejected.clear()
        return reasons

    def send(self, name: str, content: Content, key: str = "k-1", **more: Any) -> SendResult:
        """Send one message as a dispatcher would."""
        with self.channel(name).session() as send:
            return send(outgoing(name, content, key, **more))


def outgoing(name: str, content: Content, key: str = "k-1", **more: Any) -> OutgoingMessage:
    recipient = "ann@example.com" if name == "email" else name
    return OutgoingMessage(key, recipient, content, **more)


@contextmanager
def running_receivers(patch: pytest.MonkeyPatch) -> Generator[Receivers]:
    """Start all receivers and let the channels' services be them."""
    patch.setenv("OUTBOUND_ALLOWED_HOSTS", "127.0.0.1")
    with ExitStack() as stack:
        slack_app, teams_app = stack.enter_context(Slack()), stack.enter_context(Teams())
        pager, genie = stack.enter_context(PagerDuty()), stack.enter_context(Opsgenie())
        gram = stack.enter_context(Telegram())
        mail, hook, discord = SmtpSink(), HttpSink(), HttpSink()
        for sink in (mail, hook, discord):
            sink.start()
            stack.callback(sink.stop)
        patch.setenv("EMAIL_ALLOWED_PORTS", str(mail.port))
        settings.cache_clear()
        patch.setattr(slack, "API_URL", slack_app.url)
        patch.setattr(telegram, "API_URL", gram.url)
        patch.setitem(pagerduty.API_URLS, "us", pager.url)
        patch.setitem(opsgenie.API_URLS, "eu", genie.url)
        patch.setattr("apprise.plugins.discord.NotifyDiscord.notify_url", discord.url)
        patch.setattr("apprise.plugins.discord.NotifyDiscord.request_rate_per_sec", 0)
        yield Receivers(mail, hook, discord, slack_app, teams_app, pager, genie, gram)


@contextmanager
def open_senders(receivers: Receivers) -> Generator[dict[str, Sender]]:
    """Open one session of each channel."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(receivers.channel(name).session()) for name in NAMES}


@pytest.fixture
def receivers(monkeypatch: pytest.MonkeyPatch) -> Generator[Receivers]:
    """All receivers, empty."""
    with running_receivers(monkeypatch) as running:
        yield running
