"""Check how ``expected`` combines with the other keys of a rule, and whether its samples are kept for long enough.

Reads the settings; writes nothing.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from analytics_worker.database.user_sql_checks import Problem
from analytics_worker.settings import settings
from flows.alerts.rules.model import Rule
from flows.alerts.rules.model_expected import Expected, Season

NEEDED_DAYS: Mapping[Season, int] = {"week": 22, "month": 94, "auto": 22}
"""How long samples must be kept for the three of the same day that each season needs."""
MAX_EVERY = timedelta(days=7)

_EXCLUDED = ("threshold", "warning", "critical", "recovery")
_OPERATORS = {"<", ">", "outside"}


def expected_problems(rule: Rule, expected: Expected) -> Iterator[Problem]:
    """Yield the problems of a rule that compares with what is expected."""
    for name in _EXCLUDED:
        if getattr(rule, name) is not None:
            yield name, f"{name} is not allowed with expected; remove one of them"
    if rule.operator not in _OPERATORS:
        text = f"operator {rule.operator!r} is not allowed with expected"
        yield (
            "operator",
            f"{text}; expected < (too low), > (too high) or outside (either, the default)",
        )
    if rule.measure.startswith("change"):
        yield (
            "measure",
            f"measure: {rule.measure} is not allowed with expected, which compares with earlier samples",
        )
    if rule.every > MAX_EVERY and not rule.has_own_times:
        yield "every", "every is longer than 7d; expected compares with each day of the week"
    yield from _sensitivity_problems(rule, expected)
    yield from _retention_problems(expected)


def _sensitivity_problems(rule: Rule, expected: Expected) -> Iterator[Problem]:
    levels = expected.sensitivity
    if not isinstance(levels, dict):
        return
    if "severity" in rule.model_fields_set:
        yield "severity", "severity is not allowed with a sensitivity of each severity; remove it"
    if levels["critical"] < levels["warning"]:
        yield "expected", "critical is reached before warning; swap the two sensitivities"


def _retention_problems(expected: Expected) -> Iterator[Problem]:
    needed, kept = NEEDED_DAYS[expected.season], settings().alert_history_retention_days
    if kept < needed:
        hint = ", or use season: week" if kept >= NEEDED_DAYS["week"] else ""
        text = f"season {expected.season} needs the samples of {needed} days, but they are kept for {kept}"
        yield "expected", f"{text}: set ALERT_HISTORY_RETENTION_DAYS to {needed} or more{hint}"
