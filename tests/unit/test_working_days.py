"""definitions/calendar.yml: working days, own and public holidays; mistakes in one line each."""

import sys
from datetime import date

import pytest

from analytics_worker.calendars.working_days import load_working_days
from analytics_worker.definitions.yaml_definitions import DefinitionError


@pytest.fixture
def load(tmp_path):
    def load(content: str):
        (tmp_path / "calendar.yml").write_text(content)
        return load_working_days(tmp_path)

    return load


def test_without_a_file_monday_to_friday_are_working_days(tmp_path):
    days = load_working_days(tmp_path)
    assert [date(2026, 11, day) in days for day in range(23, 30)] == [True] * 5 + [False] * 2


def test_own_days(load):
    days = load('working_days: sun-thu\nholidays: [2026-11-24, "2026-11-25", "12-24"]')
    working = [day for day in range(22, 29) if date(2026, 11, day) in days]
    assert working == [22, 23, 26]
    assert [date(year, 12, 24) in days for year in (2025, 2026, 2028)] == [False] * 3


@pytest.mark.parametrize("year", [2026, 2035])
def test_public_holidays_of_a_country_and_its_region(load, year):
    germany, bavaria = load("country: DE"), load("country: DE\nregion: BY")
    assert date(year, 10, 3) not in germany
    assert date(year, 12, 25) not in germany
    epiphany = date(year, 1, 6)
    assert epiphany not in bavaria
    assert (epiphany in germany) == (epiphany.weekday() < 5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("holidays: [soon]", "1: holidays.0: 'soon' is not valid; expected a date (2026-12-24)"),
        ('holidays: ["02-30"]', "1: holidays.0: '02-30' is not valid; expected a date"),
        ("working_days: [mo]", "1: working_days: 'mo' is not valid; expected days such as"),
        ("working_days: working", "1: working_days: "),
        ("country: XX", "1: country 'XX' is not known; expected a code such as DE"),
        ("country: DE\nregion: XY", "2: region 'XY' is not known; expected one of Augsburg, BB, "),
        ("country: NO", "1: country: False is not text; expected text in quotes"),
        ("region: BY", "1: region needs a country; add one, such as country: DE, or remove region"),
        ("country: de", "1: country 'de' is not known; did you mean 'DE'?"),
        ("holidays: [5]", "1: holidays.0: 5 is not valid; expected a date (2026-12-24)"),
        ("holiday: []", "1: unknown key 'holiday'; did you mean 'holidays'?"),
        ("- a", "1: expected a mapping"),
    ],
)
def test_mistake_is_one_line_with_the_key(load, content, message):
    with pytest.raises(DefinitionError) as error:
        load(content)
    assert f"calendar.yml:{message}" in str(error.value)
    assert len(error.value.problems) == 1


def test_missing_package_is_named(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(DefinitionError, match=r"pip install 'analytics-worker\[calendar\]'"):
        load("country: DE")
    assert load("holidays: []")
