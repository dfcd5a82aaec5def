"""What readers see of a column: its title, unit, decimals, dates, alignment and total.

Reads nothing, writes nothing.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from analytics_worker.definitions.text_types import Line
from analytics_worker.presentation.numbers import CURRENCIES, MAX_DECIMALS, Unit

_EXCEL_CODES: Mapping[str, str] = {
    "HH24:MI:SS": "hh:mm:ss",
    "HH24:MI": "hh:mm",
    "YYYY": "yyyy",
    "YY": "yy",
    "Month": "mmmm",
    "Mon": "mmm",
    "MM": "mm",
    "Day": "dddd",
    "Dy": "ddd",
    "DD": "dd",
}
_CODES = re.compile("|".join(_EXCEL_CODES))
_PRINTED = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?: (\d\d:\d\d)(:\d\d)(?:\.\d+)?)?(?:[+-]\d\d(?::\d\d)*)?"
)
"""A day or time as the server prints it; not one before Christ, after 9999, or infinity."""


def _checked_pattern(pattern: str) -> str:
    """Return a pattern of codes and punctuation.

    Raises:
        ValueError: it has no code, or letters that are none.
    """
    rest, codes = _CODES.subn("", pattern)
    if not codes or re.search(r"\w", rest):
        known = ", ".join(_EXCEL_CODES)
        raise ValueError(
            f"{pattern!r:.60} is not a valid date format; expected e.g. DD.MM.YYYY, of {known}"
        )
    return pattern


class ColumnOptions(BaseModel):
    """What readers see of a column; what is not set follows from its type and its name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    title: Line | None = None
    unit: Unit = ""
    decimals: Annotated[int, Field(ge=0, le=MAX_DECIMALS)] | None = None
    percent: bool = False
    """Whether the values are shares of one: 0.44 is shown as 44%."""
    date: Annotated[str, AfterValidator(_checked_pattern)] | None = None
    """Pattern for days and times, of the codes that ``to_char`` has, too."""
    align: Literal["left", "right", "center"] | None = None
    hidden: bool = False
    total: bool = False
    """Whether a last row has the sum of the column."""

    @model_validator(mode="after")
    def _check_unit(self) -> Self:
        if self.percent and self.unit:
            raise ValueError("percent and unit exclude each other; expected one of them")
        return self

    @property
    def unit_of_values(self) -> str:
        """The unit that stands at each value: a currency's sign, or %."""
        return "%" if self.percent else self.unit if _is_sign(self.unit) else ""

    @property
    def unit_of_heading(self) -> str:
        """The unit that stands in the heading: a word."""
        return "" if _is_sign(self.unit) else self.unit

    @property
    def is_measure(self) -> bool:
        """Whether the column is said to have quantities."""
        return bool(self.unit) or self.percent or self.total or self.decimals is not None

    @property
    def excel_date(self) -> str | None:
        """The date format as a number format of Excel."""
        if self.date is None:
            return None
        parts = re.split(f"({_CODES.pattern})", self.date)
        return "".join(_EXCEL_CODES.get(part, re.sub(r"(.)", r"\\\1", part)) for part in parts)

    def date_text(self, printed: str) -> str:
        """Return a day or time in the date format; unchanged without one, and if it has none."""
        found = _PRINTED.fullmatch(printed)
        if self.date is None or found is None:
            return printed
        year, month, day = map(int, found.group(1, 2, 3))
        moment = dt.date(year, month, day)
        minute, second = found[4] or "00:00", found[5] or ":00"
        texts = {
            "HH24:MI:SS": minute + second,
            "HH24:MI": minute,
            "YYYY": found[1],
            "YY": found[1][2:],
            "Month": f"{moment:%B}",
            "Mon": f"{moment:%b}",
            "MM": found[2],
            "Day": f"{moment:%A}",
            "Dy": f"{moment:%a}",
            "DD": found[3],
        }
        return _CODES.sub(lambda code: texts[code[0]], self.date)


def _is_sign(unit: str) -> bool:
    return unit in CURRENCIES or unit == "%"


NO_OPTIONS = ColumnOptions()
