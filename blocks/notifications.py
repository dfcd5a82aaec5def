"""Ways to reach people, as Prefect blocks: mail, web hooks, Slack, and all that apprise knows.

A rule names a block by its name. `analytics-worker deploy` registers the types, so that the blocks can
be filled in in the UI. Their secrets are `SecretStr`: in no parameter, state or log.
Anyone who reaches an API without authentication can read every block's secrets; set
PREFECT_SERVER_API_AUTH_STRING first, or use the variables ALERT_* instead of blocks.
"""

from typing import Literal

from prefect.blocks.core import Block
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from pydantic import Field, SecretStr

from analytics_worker.transport.address_filter import AllowList
from analytics_worker.transport.mail import MailServer
from analytics_worker.transport.smtp import Security


class EmailChannel(Block):
    """Mail through an SMTP server: a public one, or one in OUTBOUND_ALLOWED_HOSTS."""

    _block_type_name = "Email Channel"
    _block_type_slug = "email-channel"

    host: str = Field(description="SMTP server.")
    port: int = Field(default=587, description="Its port.", ge=1, le=65535)
    security: Security = Field(
        default="starttls", description="How the connection is secured; never less than this."
    )
    user: str | None = Field(default=None, description="Login, if the server asks for one.")
    password: SecretStr | None = Field(default=None, description="Its password.")
    sender: str = Field(description="From: alerts@example.com or Alerts <alerts@example.com>.")
    to: list[str] = Field(default=[], description="Who gets it if a rule names nobody.")

    def server(self, timeout_seconds: float, allowed: AllowList | None) -> MailServer:
        """Where to hand in mails; ``allowed`` is None for a server that the operator chose."""
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
    """JSON posted to an address, signed if there is a secret."""

    _block_type_name = "Webhook Channel"
    _block_type_slug = "webhook-channel"

    url: SecretStr = Field(description="Where to post, https://host/path.")
    secret: SecretStr | None = Field(
        default=None, description="Key of the HMAC-SHA256 signature (standardwebhooks.com)."
    )


class SlackChannel(Block):
    """An incoming webhook of Slack, or of what understands the same: Mattermost, Rocket.Chat."""

    _block_type_name = "Slack Channel"
    _block_type_slug = "slack-channel"

    url: SecretStr = Field(description="Its address, https://hooks.slack.com/services/…")


class AppriseChannel(Block):
    """Any of the services that apprise reaches: Teams, Telegram, Matrix, PagerDuty, SMS."""

    _block_type_name = "Apprise Channel"
    _block_type_slug = "apprise-channel"

    url: SecretStr = Field(description="As https://github.com/caronc/apprise spells it.")


ChannelBlock = EmailChannel | WebhookChannel | SlackChannel | AppriseChannel

BLOCKS: list[type[ChannelBlock]] = [EmailChannel, WebhookChannel, SlackChannel, AppriseChannel]


def register_type(
    kind: type[ChannelBlock], client: SyncPrefectClient
) -> Literal["created", "updated", "unchanged"]:
    """Make a type of channel known to the API, so that people can fill it in."""
    try:
        client.read_block_type_by_slug(kind.get_block_type_slug())
    except ObjectNotFound:
        action = "created"
    else:
        try:
            client.read_block_schema_by_checksum(kind._calculate_schema_checksum())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as Prefect itself compares them
        except ObjectNotFound:
            action = "updated"
        else:
            return "unchanged"
    kind.register_type_and_schema(_sync=True)  # pyright: ignore[reportCallIssue]
    return action
