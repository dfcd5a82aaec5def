"""The pictures of the documentation: their size, their list, and how they are read and drawn."""

import re
from pathlib import Path

import pytest

from analytics_worker.documentation.images import browser
from analytics_worker.documentation.images.chats import slack_page, teams_page
from analytics_worker.documentation.images.png import MAX_BYTES, read_png
from analytics_worker.errors import PermanentError
from analytics_worker.presentation.bar_image import bar_image
from tests.support.browser import chromium
from tests.support.sample_messages import FIRING, RESOLVED

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"


def test_every_picture_is_small_and_listed() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## Pictures\n")[2]
    listed = set(re.findall(r"`([\w-]+\.png)`", page.partition("\n## ")[0]))
    pictures = list(IMAGES.glob("*.png"))
    assert {each.name for each in pictures} == listed
    assert [each.name for each in pictures if each.stat().st_size > MAX_BYTES] == []


def test_messages_are_drawn_with_their_texts_escaped() -> None:
    hostile = FIRING.model_copy(update={"headline": "<script>x</script>"})
    for page in (slack_page([hostile, RESOLVED]), teams_page([hostile, RESOLVED])):
        assert "&lt;script&gt;x" in page
        assert "ann.lee@example.com" in page
        assert "Open the run" in page


def test_without_a_browser_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(PermanentError, match=r"none of chromium, .* apt install chromium"):
        browser.chromium()


def test_a_picture_of_a_page_is_as_high_as_the_page(tmp_path: Path) -> None:
    chromium()  # or the test is skipped
    page = '<body style="margin:0;background:#123456"><div style="height:333px"></div>'
    browser.take_picture(page, tmp_path / "page.png", 400)
    data = (tmp_path / "page.png").read_bytes()
    assert data[16:24] == (400).to_bytes(4) + (333).to_bytes(4)


def test_another_kind_of_picture_is_refused_by_name() -> None:
    with pytest.raises(PermanentError, match="the type of its colors is 3"):
        read_png(bar_image([1, 2], None, "#ff0000"))
