"""Each naughty string arrives as text, in every field of a message and through every channel.

The receivers refuse what their service would interpret (tests/support/receivers); what they can't know,
such as who is mentioned, is asserted here. docs/channels-naughty.md shows what each one got.
"""

import re
from collections.abc import Generator

import pytest

from analytics_worker.delivery.channels.base import Sender
from analytics_worker.delivery.message import Attachment, Content, Fact, Link, Tile
from tests.delivery.channels.naughty_table import shown_by
from tests.support.naughty_strings import NAUGHTY
from tests.support.receivers.all_channels import (
    NAMES,
    Receivers,
    open_senders,
    outgoing,
    running_receivers,
)

# apprise imports a module that Python 3.13 drops; it brings a replacement there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

CHATS = ("slack", "slack-bot", "teams", "telegram", "discord")
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200e\u200f\u202a-\u202e\u2066-\u2069\u3164\ufeff\U000e0000-\U000e0fff\ud800-\udfff]")  # fmt: skip


@pytest.fixture(scope="module")
def opened() -> Generator[tuple[Receivers, dict[str, Sender]]]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_receivers(patch) as receivers,
        open_senders(receivers) as senders,
    ):
        yield receivers, senders


def everywhere(naughty: str) -> Content:
    """Return a message with the text in every field that data can reach."""
    return Content(
        subject=f"[CRITICAL] {naughty}",
        text=naughty,
        headline=naughty,
        severity="critical",
        incident_action="trigger",
        incident_key=naughty or "key",
        facts=(Fact(label=naughty, value=naughty), Fact(label="Key", value=naughty)),
        items=(naughty, f"a {naughty}"),
        tiles=(Tile(label=naughty, value=naughty, change=naughty, direction="up"),),
        links=(Link(label=naughty, url="https://example.com/run"), Link(label="x", url=naughty)),
        attachments=(Attachment(storage="", name="x", attach_as=naughty, media_type="text/csv"),),
    )


@pytest.mark.parametrize("naughty", NAUGHTY.values(), ids=NAUGHTY)
@pytest.mark.parametrize("name", NAMES)
def test_a_naughty_string_arrives_as_text(opened, name: str, naughty: str):
    receivers, senders = opened
    for content in (everywhere(naughty), Content(subject=naughty, text=naughty)):
        result = senders[name](outgoing(name, content))
        assert receivers.rejected() == []
        assert result.status == "sent", result.detail
        shown = shown_by(receivers, name)
        if name != "webhook":  # programs get the data itself
            assert not HIDDEN.search(shown)
        if name in CHATS:
            assert_mentions_nobody(name, shown)


def assert_mentions_nobody(name: str, shown: str) -> None:
    """No chat gets a name after an @, a reference in angle brackets or a link with another text."""
    if name in {"discord", "telegram"}:
        assert not re.search(r"@(everyone|here)", shown, re.IGNORECASE)
        assert not re.search(r"(?<![\w.])@\w", shown)
    if name == "discord":
        assert not re.search(r"<[@#!:/ta-z]", shown)
        assert not re.search(r"(?<!\\)\]\(", shown)
        assert not re.search(r"(?<!\\)(\\\\)*[*`|~]", re.sub(r"https?://\S+", "", shown))
