"""Show the last values of an alert: a line of text, and a picture for emails.

Reads nothing, writes nothing.
"""

from base64 import b64encode
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from analytics_worker.delivery.message import Image
from analytics_worker.presentation.bar_image import MAX_BARS, bar_image
from analytics_worker.presentation.sparkline import sparkline
from flows.alerts.notifications.values import value_text
from flows.alerts.rules.model import Rule

MAX_VALUES = MAX_BARS
MIN_VALUES = 2
IMAGE_NAME = "recent_values"

RecentValues = Sequence[Decimal | None]


class RecentTexts(NamedTuple):
    """The recent values of one key as text: a small chart, and what it shows."""

    line: str
    summary: str


def recent_texts(rule: Rule, recent_values: RecentValues) -> RecentTexts | None:
    """Return the texts of recent values; None if there are too few for a chart."""
    known = [each for each in recent_values if each is not None]
    if len(known) < MIN_VALUES:
        return None
    low, high = value_text(rule, min(known)), value_text(rule, max(known))
    summary = f"lowest {low}, highest {high} in {len(recent_values)} evaluations"
    return RecentTexts(sparkline(_floats(recent_values)), summary)


def recent_image(
    rule: Rule, recent_values: RecentValues, severity: str | None, color: str
) -> Image:
    """Return the picture of recent values, with the bound of a severity as a line."""
    bounds = [bound for name, bound in rule.bounds.items() if severity in (None, name)]
    lines = [each for each in bounds if isinstance(each, Decimal) and each.is_finite()]
    bound = lines[-1] if lines and rule.operator not in {"==", "!="} else None
    data = bar_image(_floats(recent_values), None if bound is None else float(bound), color)
    return Image(name=IMAGE_NAME, data=b64encode(data).decode())


def _floats(recent_values: RecentValues) -> list[float | None]:
    """Return numbers for a drawing; beyond the range of double precision they are infinite."""
    return [None if each is None else float(each) for each in recent_values]
