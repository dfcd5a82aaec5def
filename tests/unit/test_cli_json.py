"""``--json`` prints letters of all scripts as they are, and what a terminal would execute or hide escaped."""

import json

import pytest

from analytics_worker.cli.output import echo_json
from tests.support.naughty_strings import NAUGHTY


@pytest.mark.parametrize("text", [*NAUGHTY.values(), "\ud800", "Выручка {x} 100% 😀"], ids=ascii)
def test_a_document_has_the_same_text_and_no_character_that_is_not_shown(text: str, capsys):
    echo_json({"name": text})
    printed = capsys.readouterr().out
    assert json.loads(printed) == json.loads(json.dumps({"name": text}))
    assert all(each.isprintable() for each in printed.replace("\n", ""))


def test_letters_are_readable(capsys):
    echo_json(["Выручка"])
    assert "Выручка" in capsys.readouterr().out
