"""Send one message without the outbox, through a channel of the settings or of a block."""

import pytest

from analytics_worker.delivery import routing
from analytics_worker.delivery.message import Content, Message, Recipient
from analytics_worker.delivery.routing import send_once
from analytics_worker.send_result import SendResult
from blocks.notifications import ChannelBlock

CONTENT = Content(subject="Fell <now>", text="It & more", json={"rule": "pipeline"})


def send_now(name: str, content: Content = CONTENT, key: str = "k1") -> SendResult:
    """Send to ann@example.com, or to the channel's own recipient."""
    to = Recipient(name, "ann@example.com")
    return send_once(name, Message("alerts", "test", content, [to]), to, key)


def store_block(monkeypatch: pytest.MonkeyPatch, block: ChannelBlock) -> None:
    """Resolve every name that settings don't define to this block."""
    monkeypatch.setattr(routing, "_stored_block", lambda _name: block)
