"""The table of states, which people read in a terminal and in the Prefect UI."""

import json

from flows.alerts.tools.states import MAX_KEY_CHARACTERS, short_key


def test_a_long_key_leaves_room_and_keeps_both_ends():
    assert short_key(json.dumps(["a", "b"])) == "a / b"
    shown = short_key(json.dumps(["start" + "x" * 1000 + "end"]))
    assert len(shown) == MAX_KEY_CHARACTERS
    assert (shown[:5], shown[-3:]) == ("start", "end")
