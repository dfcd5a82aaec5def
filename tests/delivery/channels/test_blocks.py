"""Blocks of users are refused with the fix if they are invalid, and listed without secrets."""

from datetime import timedelta

import pytest
from pydantic import SecretStr, ValidationError

from analytics_worker.delivery.channels.base import Rate
from analytics_worker.delivery.channels.factory import parse_rate
from analytics_worker.delivery.routing import CHANNEL_MODULES, open_channel
from analytics_worker.errors import PermanentError
from blocks.notifications import (
    CHANNEL_BLOCKS,
    PagerDutyChannel,
    SlackChannel,
    TeamsChannel,
    TelegramChannel,
)
from tests.support.receivers.all_channels import NAMES, Receivers

# apprise imports a module that Python 3.13 drops; it brings a replacement there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def test_every_block_has_a_channel_and_a_description():
    assert {kind.get_block_type_slug() for kind in CHANNEL_BLOCKS} == set(CHANNEL_MODULES)
    for kind in CHANNEL_BLOCKS:
        assert "rate" in kind.model_fields
        for name, field in kind.model_fields.items():
            assert field.description, f"{kind.__name__}.{name}"


@pytest.mark.parametrize("name", NAMES)
def test_a_target_is_a_host_without_secrets(receivers: Receivers, name: str):
    channel = receivers.channel(name)
    assert "canary" not in f"{channel.target} {channel!r}".lower()
    expected = {"discord": "discord"}.get(name, "127.0.0.1")
    assert channel.target.startswith(expected)


def test_an_address_that_is_not_valid_is_refused_without_repeating_it():
    with pytest.raises(PermanentError, match="not a valid URL") as refused:
        open_channel("team", TeamsChannel(url=SecretStr("ftp://canary")))
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (SlackChannel, "url and bot_token are missing"),
        (lambda: SlackChannel(bot_token=SecretStr("x")), "channel is missing"),
        (lambda: SlackChannel(url=SecretStr("https://x"), channel="#general"), "channel"),
        (lambda: TelegramChannel(bot_token=SecretStr("x"), chat_id="a/../b"), "chat_id"),
        (lambda: TelegramChannel(bot_token=SecretStr("x"), chat_id="1", rate="often"), "rate"),
        (lambda: PagerDutyChannel(routing_key=SecretStr("x"), region="mars"), "region"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_invalid_fields_are_refused_by_name(build, reason: str):
    with pytest.raises(ValidationError, match=reason):
        build()


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        (None, None),
        ("30/1m", Rate(30, timedelta(minutes=1))),
        ("30/m", Rate(30, timedelta(minutes=1))),
        ("1/2s", Rate(1, timedelta(seconds=2))),
    ],
)
def test_a_rate_is_messages_per_period(text: str | None, rate: Rate | None):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["often", "0/1m", "1/0s", "1/1y", "-1/1m"])
def test_an_invalid_rate_is_refused(text: str):
    with pytest.raises(PermanentError, match="expected messages/period"):
        parse_rate(text)
