"""Read the calendar that reports and rules share: definitions/calendar.yml.

Reads the file; writes nothing. Without a file, Monday to Friday are working days and there are no holidays.
The public holidays of a country come from the package ``holidays``, an optional one.
"""

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from analytics_worker.calendars.weekdays import WEEKDAYS, Weekday, WeekdayList
from analytics_worker.definitions.validation_messages import did_you_mean
from analytics_worker.definitions.yaml_definitions import DefinitionError, Document, read, validate
from analytics_worker.settings import project_root

FILE = "calendar.yml"
_LEAP_YEAR = 2000


def _checked_holiday(value: object) -> date | str:
    if type(value) is date:
        return value
    try:
        text = value if isinstance(value, str) else ""
        if re.fullmatch(r"\d\d-\d\d", text):
            date.fromisoformat(f"{_LEAP_YEAR}-{text}")
            return text
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f'{value!r:.60} is not valid; expected a date (2026-12-24), or "12-24" for each year'
        ) from None


class CalendarDefinition(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    working_days: WeekdayList = list(WEEKDAYS[:5])
    holidays: list[Annotated[date | str, BeforeValidator(_checked_holiday)]] = []
    """Days off: dates, or month and day for each year."""
    country: str | None = None
    """The country whose public holidays are days off, as ISO 3166 code: DE."""
    region: str | None = None
    """The part of the country, as ISO 3166-2 code without the country: BY."""


@dataclass(frozen=True)
class WorkingDays:
    """The days on which people work."""

    weekdays: frozenset[Weekday] = frozenset(WEEKDAYS[:5])
    own_holidays: frozenset[date | str] = frozenset()
    public_holidays: Container[date] = frozenset()

    def __contains__(self, day: date) -> bool:
        """Return whether a day is a working day."""
        return (
            WEEKDAYS[day.weekday()] in self.weekdays
            and day not in self.own_holidays
            and f"{day:%m-%d}" not in self.own_holidays
            and day not in self.public_holidays
        )

    def is_first_of_month(self, day: date) -> bool:
        """Return whether a day is the first working day of its month."""
        earlier = (day.replace(day=number) for number in range(1, day.day))
        return day in self and not any(each in self for each in earlier)

    def is_last_of_month(self, day: date) -> bool:
        """Return whether a day is the last working day of its month."""
        later = (day + timedelta(days=number) for number in range(1, 32))
        return day in self and not any(each in self for each in later if each.month == day.month)


def calendar_path(folder: Path | None = None) -> Path:
    """Return the path of the file, which may not exist."""
    return (folder or project_root() / "definitions") / FILE


def load_working_days(folder: Path | None = None) -> WorkingDays:
    """Load the calendar of the definitions.

    Raises:
        DefinitionError: the file is not valid; one line for each mistake.
    """
    path = calendar_path(folder)
    if not path.exists():
        return WorkingDays()
    document = read(path)
    definition, mistakes = validate(document, (), CalendarDefinition, document.data)
    if definition is None:
        raise DefinitionError(mistakes)
    return WorkingDays(
        weekdays=frozenset(definition.working_days),
        own_holidays=frozenset(definition.holidays),
        public_holidays=_public_holidays(document, definition),
    )


def _public_holidays(document: Document, definition: CalendarDefinition) -> Container[date]:
    if definition.country is None:
        if definition.region is not None:
            raise _mistake(
                document,
                "region",
                "region needs a country; add one, such as country: DE, or remove region",
            )
        return frozenset[date]()
    try:
        import holidays  # noqa: PLC0415  # optional
    except ImportError:
        text = "country needs a package: pip install 'analytics-worker[calendar]'"
        raise _mistake(document, "country", text) from None
    regions: dict[str, list[str]] = holidays.list_supported_countries()
    if definition.country not in regions:
        text = f"country {definition.country!r:.40} is not known{_similar(definition.country, regions)}"
        raise _mistake(document, "country", text)
    known = regions[definition.country]
    if definition.region is not None and definition.region not in known:
        text = (
            f"region {definition.region!r:.40} is not known{did_you_mean(definition.region, known)}"
        )
        raise _mistake(document, "region", text)
    days: Any = holidays.country_holidays(definition.country, subdiv=definition.region)
    return days


def _similar(country: str, known: Iterable[str]) -> str:
    """Return the code in capitals if that is known, else what is expected."""
    code = country.strip().upper()
    return f"; did you mean {code!r}?" if code in known else "; expected a code such as DE"


def _mistake(document: Document, field: str, problem: str) -> DefinitionError:
    return DefinitionError([document.at((field,), problem)])
