"""Tables that fit the terminal."""

import sys
from io import TextIOWrapper
from pathlib import Path

import pytest

from analytics_worker.stack.terminal import Terminal

COLUMNS = ("", "what", "message", "next")
TEXT = "a sentence of several words that no person wants to read in a column of nine characters"
ROWS = [("ok", "refresh-materialized-views/analytics", TEXT, "07:00"), ("ok", "other", "", "")]


def printed(width: int) -> list[str]:
    terminal = Terminal()
    terminal.console.width = width
    with terminal.console.capture() as shown:
        terminal.table("Title", COLUMNS, ROWS, long="message", named="what")
    return shown.get().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_names_and_texts_keep_their_words_together(width: int):
    lines = printed(width)
    assert all(len(line) <= width for line in lines)
    assert any("refresh-materialized-views/analytics" in line for line in lines)
    assert " ".join(" ".join(lines).split()).count("nine characters") == 1


def test_a_file_has_no_blanks_at_the_end_of_lines():
    assert all(line == line.rstrip() for line in printed(180))


def test_a_narrow_terminal_has_long_texts_below_the_table():
    narrow = printed(80)
    assert "message" not in narrow[1]
    assert narrow[-2].startswith("  refresh-materialized-views/analytics: a sentence")
    assert "message" in printed(120)[1]


def test_output_that_can_not_be_written_is_said_once_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stdout", TextIOWrapper(full, write_through=True))
        terminal = Terminal()
        terminal.say("a restart")
        terminal.step("ready", "all of it")
    assert capsys.readouterr().err == (
        "error: The output can't be written: No space left on device; the stack continues\n"
    )
