"""Too long texts are cut visibly within each receiver's limit, and the link to the full text is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.delivery import escaping
from analytics_worker.delivery.message import Attachment, Content, Fact, Link, Tile
from tests.delivery.channels.naughty_table import shown_by
from tests.support.receivers.all_channels import NAMES, Receivers

# apprise imports a module that Python 3.13 drops; it brings a replacement there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

LINK = "https://prefect.example.com/runs/3f9c"
LONG = {
    "ascii": "x" * 9000,
    "words": "some words " * 700,
    "escaped": "<&>" * 3000,
    "emoji": "😀" * 5000,
    "families": "👨\u200d👩\u200d👧" * 1000,
    "combining": "é" * 5000,
    "lines": "line\n" * 1500,
}
ESCAPES = (
    escaping.visible,
    escaping.slack,
    escaping.slack_message,
    escaping.teams,
    escaping.telegram,
    escaping.incident,
    escaping.chat,
    escaping.markdown,
)


def long_everywhere(text: str, many: int = 60) -> Content:
    """Return a message that exceeds every limit."""
    return Content(
        subject=text,
        text=text,
        headline=text,
        severity="warning",
        incident_action="trigger",
        incident_key=text,
        facts=tuple(Fact(label=f"{n}{text}", value=text) for n in range(many)),
        items=(text,) * many,
        tiles=(Tile(label=text, value=text, change=text),) * many,
        links=(
            Link(label="Open", url=LINK),
            *[Link(label=text, url=f"{LINK}/{n}") for n in range(many)],
        ),
        attachments=(Attachment(storage="", name="x", attach_as=text, media_type="a/b"),) * many,
    )


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("name", NAMES)
def test_too_long_content_is_cut_and_keeps_its_link(receivers: Receivers, name: str, text: str):
    for content in (long_everywhere(text), Content(subject="s", text=4 * text, links=(Link(label="Open", url=LINK),))):  # fmt: skip
        result = receivers.send(name, content)
        assert receivers.rejected() == []
        assert result.status == "sent", result.detail
        if name not in {"email", "webhook"}:  # they have no limit
            shown = shown_by(receivers, name)
            assert escaping.SHORTENED in shown
            assert LINK in shown


def utf8_bytes(text: str) -> int:
    """Count bytes: a measure of another kind than those of the channels."""
    return len(text.encode())


@given(
    st.text() | st.text("<>&*_@:\u200d\u0301😀a "), st.integers(40, 200), st.sampled_from(ESCAPES)
)
def test_a_cut_text_fits_and_begins_like_the_whole(text: str, limit: int, escape: escaping.Escape):
    for measure in (escaping.utf16_units, utf8_bytes, len):
        short = escaping.cut(text, limit, escape=escape, measure=measure)
        assert measure(short) <= limit
        if short != escape(text):
            assert short.endswith(escaping.SHORTENED)


@given(st.text(), st.sampled_from(ESCAPES))
def test_every_escaped_text_can_be_encoded(text: str, escape: escaping.Escape):
    escape(text + "\ud800").encode("utf-16-le")


def test_no_character_is_cut_in_two():
    for character in ("😀", "é", "👨\u200d👩\u200d👧", "🏴\u200d☠\ufe0f"):
        for limit in range(30, 60):
            cut_text = escaping.cut(character * 50, limit).removesuffix(escaping.SHORTENED)
            assert cut_text == character * (len(cut_text) // len(character))


def test_no_escape_sequence_is_cut_in_two():
    for limit in range(30, 60):
        cut_text = escaping.cut("<" * 100, limit, escape=escaping.slack)
        assert cut_text.removesuffix(escaping.SHORTENED).replace("&lt;", "") == ""


def test_markdown_of_a_list_is_escaped_as_markdown_requires():
    """A backslash before a digit is a backslash; one before the dot ends the list."""
    shown = escaping.markdown("1. a\n- b\n  2) c\nhttps://x.example/a_b *d*")
    assert shown == "1\\. a\n\\- b\n  2\\) c\nhttps://x.example/a_b \\*d\\*"
