"""The first nights of the story of fourteen nights (tests/drills/test_fourteen_nights.py plays all of them)."""

import pytest

from tests.acceptance.fourteen_nights.playing import Nights, expected, missing_words, play, shown
from tests.acceptance.fourteen_nights.story import NIGHTS, Night

COUNT = 4


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    return play(tmp_path_factory.mktemp("nights"), COUNT)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("night", NIGHTS[:COUNT], ids=lambda night: night.day)
def test_exactly_the_expected_messages_arrive(nights: Nights, night: Night):
    arrived = nights[night.day]
    assert shown(night, arrived) == expected(night)
    assert missing_words(night, arrived) == []
