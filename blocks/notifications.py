"""Define channels as Prefect blocks: email, webhooks, chats, incident services, Apprise.

A rule or report refers to a block by its name. `analytics-worker deploy` registers the types, so that blocks
can be created in the UI. Their secrets are `SecretStr`: they are in no parameter, state or log. Anyone who
reaches an API without authentication can read the secrets of every block. Set PREFECT_SERVER_API_AUTH_STRING
first, or use the variables ALERT_* instead of blocks.
"""

from typing import Annotated, Literal, Self

from prefect.blocks.core import Block
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from pydantic import Field, SecretStr, model_validator

from analytics_worker.transport.address_filter import AllowList
from analytics_worker.transport.smtp import MailServer, Security

Region = Literal["us", "eu"]
Rate = Annotated[
    str | None,
    Field(
        description="Messages that the receiver accepts, such as 30/1m or 1/2s; empty: no limit.",
        pattern=r"^[1-9][0-9]{0,5}/[0-9]{0,4}[smhd]$",
    ),
]


class EmailChannel(Block):
    """Email through an SMTP server: a public one, or one in OUTBOUND_ALLOWED_HOSTS."""

    _block_type_name = "Email Channel"
    _block_type_slug = "email-channel"

    host: str = Field(description="SMTP server.")
    port: int = Field(default=587, description="Its port.", ge=1, le=65535)
    security: Security = Field(
        default="starttls", description="How the connection is secured; never less than this."
    )
    user: str | None = Field(default=None, description="Login, if the server requires one.")
    password: SecretStr | None = Field(default=None, description="Its password.")
    sender: str = Field(description="From: alerts@example.com or Alerts <alerts@example.com>.")
    to: list[str] = Field(default=[], description="Recipients if a rule names none.")
    rate: Rate = None

    def server(self, timeout_seconds: float, allowed: AllowList | None) -> MailServer:
        """Return the SMTP server; ``allowed`` is None for a server that the operator configured."""
        return MailServer(
            host=self.host,
            port=self.port,
            security=self.security,
            user=self.user,
            password=self.password,
            timeout_seconds=timeout_seconds,
            allowed=allowed,
        )


class WebhookChannel(Block):
    """JSON posted to a URL, signed if there is a secret."""

    _block_type_name = "Webhook Channel"
    _block_type_slug = "webhook-channel"

    url: SecretStr = Field(description="Where to post, https://host/path.")
    secret: SecretStr | None = Field(
        default=None, description="Key of the HMAC-SHA256 signature (standardwebhooks.com)."
    )
    rate: Rate = None


class SlackChannel(Block):
    """Slack: an incoming webhook, or a bot that keeps each alert in a thread and uploads files.

    Servers that support Slack's incoming webhooks (Mattermost, Rocket.Chat) get the plain text.
    """

    _block_type_name = "Slack Channel"
    _block_type_slug = "slack-channel"

    url: SecretStr | None = Field(
        default=None,
        description="Incoming webhook, https://hooks.slack.com/services/…; not needed with a bot token.",
    )
    bot_token: SecretStr | None = Field(
        default=None,
        description="Bot token, xoxb-…, with the scopes chat:write and files:write; enables threads and files.",
    )
    channel: str | None = Field(
        default=None,
        description="ID of the channel that the bot posts to, such as C0123456789.",
        pattern=r"^[CDG][A-Z0-9]{5,}$",
    )
    rate: Rate = None

    @model_validator(mode="after")
    def _require_url_or_bot_token(self) -> Self:
        if self.bot_token and not self.channel:
            raise ValueError("channel is missing; a bot token needs the ID of a channel")
        if not self.url and not self.bot_token:
            raise ValueError("url and bot_token are missing; expected one of them")
        return self


class TeamsChannel(Block):
    """A channel or chat of Microsoft Teams, through a webhook of the Workflows app."""

    _block_type_name = "Teams Channel"
    _block_type_slug = "teams-channel"

    url: SecretStr = Field(
        description="Address of the workflow 'Post to a channel when a webhook request is received'."
    )
    rate: Rate = None


class PagerDutyChannel(Block):
    """A service of PagerDuty: alerts open and resolve incidents, reports become change events."""

    _block_type_name = "PagerDuty Channel"
    _block_type_slug = "pagerduty-channel"

    routing_key: SecretStr = Field(description="Integration key of an 'Events API v2' integration.")
    region: Region = Field(default="us", description="Where the PagerDuty account is.")
    rate: Rate = None


class OpsgenieChannel(Block):
    """Opsgenie: alerts are created and closed by their alias."""

    _block_type_name = "Opsgenie Channel"
    _block_type_slug = "opsgenie-channel"

    api_key: SecretStr = Field(description="Key of an API integration that may create alerts.")
    region: Region = Field(default="us", description="Where the Opsgenie account is.")
    rate: Rate = None


class TelegramChannel(Block):
    """A chat, group or channel of Telegram, through a bot."""

    _block_type_name = "Telegram Channel"
    _block_type_slug = "telegram-channel"

    bot_token: SecretStr = Field(description="Token that @BotFather gave to the bot, 123456:ABC…")
    chat_id: str = Field(
        description="ID of the chat, such as -1001234567890, or @name of a public channel.",
        pattern=r"^(-?[0-9]{1,20}|@[A-Za-z0-9_]{4,})$",
    )
    rate: Rate = None


class AppriseChannel(Block):
    """Any other service that Apprise reaches: Discord, Matrix, ntfy, Pushover, SMS."""

    _block_type_name = "Apprise Channel"
    _block_type_slug = "apprise-channel"

    url: SecretStr = Field(description="Apprise URL (https://github.com/caronc/apprise).")
    rate: Rate = None


ChannelBlock = (
    EmailChannel
    | WebhookChannel
    | SlackChannel
    | TeamsChannel
    | PagerDutyChannel
    | OpsgenieChannel
    | TelegramChannel
    | AppriseChannel
)

CHANNEL_BLOCKS: list[type[ChannelBlock]] = [
    EmailChannel,
    WebhookChannel,
    SlackChannel,
    TeamsChannel,
    PagerDutyChannel,
    OpsgenieChannel,
    TelegramChannel,
    AppriseChannel,
]


def register_type(
    block_type: type[ChannelBlock], client: SyncPrefectClient
) -> Literal["created", "updated", "unchanged"]:
    """Register a type of channel block with the API, so that it can be created in the UI."""
    try:
        client.read_block_type_by_slug(block_type.get_block_type_slug())
    except ObjectNotFound:
        action = "created"
    else:
        try:
            client.read_block_schema_by_checksum(block_type._calculate_schema_checksum())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as Prefect itself compares them
        except ObjectNotFound:
            action = "updated"
        else:
            return "unchanged"
    block_type.register_type_and_schema(_sync=True)  # pyright: ignore[reportCallIssue]
    return action
