"""The notification blocks of Prefect can still be used by the server, each with its usual address."""

import asyncio
import contextvars

import pytest
from prefect.blocks import notifications as blocks
from prefect.blocks.notifications import AbstractAppriseNotificationBlock
from prefect.server.events.actions import CallWebhook, SendNotification
from pydantic import SecretStr

from toolkit.errors import PermanentError
from worker.automation_actions import ContextExecutor, restrict_actions

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SLACK = "https://{host}/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
TEAMS = (
    "https://prod-NO.LOCATION.logic.azure.com:443/workflows/WFID/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=SIGNATURE"
)
KEY = "a" * 32
USUAL = [
    (blocks.SlackWebhook, {"url": SLACK.format(host="hooks.slack.com")}),
    (blocks.SlackWebhook, {"url": SLACK.format(host="hooks.slack-gov.com")}),
    (blocks.MicrosoftTeamsWebhook, {"url": TEAMS}),
    (blocks.PagerDutyWebHook, {"integration_key": KEY, "api_key": KEY}),
    (blocks.OpsgenieWebhook, {"apikey": KEY}),
    (blocks.MattermostWebhook, {"hostname": "mattermost.example.com", "token": KEY}),
    (blocks.DiscordWebhook, {"webhook_id": "4174216298", "webhook_token": KEY}),
    (
        blocks.SendgridEmail,
        {"api_key": KEY, "sender_email": "a@example.com", "to_emails": ["b@example.com"]},
    ),
    (
        blocks.TwilioSMS,
        {
            "account_sid": f"AC{KEY}",
            "auth_token": KEY,
            "from_phone_number": "18001234567",
            "to_phone_numbers": ["18004242424"],
        },
    ),
]


@pytest.fixture(autouse=True)
def restricted(monkeypatch: pytest.MonkeyPatch):
    """As in the server's process; Prefect is itself again afterwards."""
    for owner, name in (
        (CallWebhook, "_get_webhook_block"),
        (SendNotification, "_get_notification_block"),
        (AbstractAppriseNotificationBlock, "_start_apprise_client"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    restrict_actions.__wrapped__()


@pytest.mark.parametrize(("kind", "values"), USUAL)
def test_every_block_of_prefect_can_be_loaded(
    kind: type[AbstractAppriseNotificationBlock], values: dict[str, object]
):
    assert kind.model_validate(values)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("syslog://", "acts on the worker's machine"),
        ("mailto://user:canary@example.com?smtp=127.0.0.1", "use an Email Channel"),
        ("gotify://example.com/canary, syslog://", "acts on the worker's machine"),
        ("vapid://ann@example.com/target?keyfile=/etc/passwd", "names a file"),
    ],
)
def test_a_service_that_channels_may_not_use_is_refused(url: str, said: str):
    with pytest.raises(PermanentError, match=said) as refused:
        blocks.SlackWebhook(url=SecretStr(url))
    assert "canary" not in str(refused.value)


def test_threads_of_the_event_loop_have_the_context_of_their_caller():
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="lost")

    async def run() -> str:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ContextExecutor())
        variable.set("kept")
        return await loop.run_in_executor(None, variable.get)

    assert asyncio.run(run()) == "kept"
