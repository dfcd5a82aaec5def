"""Fourteen nights of a shop: failures, late loads, corrections, dropped columns, a holiday and a clock change.

Every message that arrives is in the story, at its time, and none is missing, twice or too many.
"""

import pytest

from tests.acceptance.fourteen_nights.playing import Nights, expected, missing_words, play, shown
from tests.acceptance.fourteen_nights.story import NIGHTS, Night

pytestmark = pytest.mark.timeout(2400)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    return play(tmp_path_factory.mktemp("nights"), len(NIGHTS))


def test_nothing_arrives_while_all_is_well(nights: Nights):
    assert nights["before"] == []


@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: night.day)
def test_exactly_the_expected_messages_arrive(nights: Nights, night: Night):
    arrived = nights[night.day]
    assert shown(night, arrived) == expected(night)
    assert missing_words(night, arrived) == []
