"""Validate combinations of fields of a rule.

Reads the settings; writes nothing.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from pydantic import TypeAdapter, ValidationError

from analytics_worker.calendars.time_problems import (
    calendar_problems,
    combination_problems,
    due_problems,
)
from analytics_worker.database.select_guard import StatementError, check, placeholders
from analytics_worker.database.user_sql_checks import Problem, limit_problems
from analytics_worker.definitions.yaml_definitions import did_you_mean
from analytics_worker.delivery.channels.card import is_usable_url
from analytics_worker.presentation.exact_numbers import exact_text
from flows.alerts.evaluation.conditions import meets
from flows.alerts.rules.expected_problems import expected_problems
from flows.alerts.rules.model import Address, Rule
from flows.alerts.rules.period_problems import period_problems
from flows.alerts.rules.periods import NOW, PERIOD_PARAMETERS
from flows.alerts.rules.times import due_times

MAX_TIMEOUT = timedelta(minutes=3)
"""The time limit of the flows that evaluate rules is four minutes."""

NO_BOUND = "no bound is set; expected threshold, or warning and critical, or expected"

_ORDERED = {">", "<", ">=", "<="}
_PAIRS = {"between", "outside"}
_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)
_ADDRESS_WITH_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")


def find_problems(rule: Rule) -> list[Problem]:
    """Return invalid combinations of fields; none for a rule that can be stored."""
    return [
        *_sql_problems(rule),
        *(expected_problems(rule, rule.expected) if rule.expected else _bound_problems(rule)),
        *_key_problems(rule),
        *_period_problems(rule),
        *_recipient_problems(rule),
        *_presentation_problems(rule),
        *_time_problems(rule),
        *limit_problems(rule.timeout, MAX_TIMEOUT, rule.reader),
    ]


def _sql_problems(rule: Rule) -> Iterator[Problem]:
    if rule.sql is None:
        yield "sql", "sql is missing; expected one SELECT with a numeric column"
        return
    try:
        check(rule.sql)
    except StatementError as error:
        yield "sql", str(error)
    used = placeholders(rule.sql)
    known = {*rule.parameters, *(PERIOD_PARAMETERS if rule.period else ())}
    for name in sorted(used - known - {NOW}):
        fix = "add period: day (or hour, week, month, quarter)"
        if name not in PERIOD_PARAMETERS:
            fix = "add it to parameters"
        yield "sql", f"the SQL uses :{name}{did_you_mean(name, known)}; {fix}"
    for name in sorted(set(rule.parameters) - used):
        yield "parameters", f"{name!r} is not used: write :{name} in the SQL, or remove it"
    yield from period_problems(rule, used)


def _bound_problems(rule: Rule) -> Iterator[Problem]:
    has_levels = rule.warning is not None or rule.critical is not None
    if rule.threshold is None and not has_levels:
        yield "name", NO_BOUND
    if rule.threshold is not None and has_levels:
        yield "threshold", "threshold is not allowed with warning and critical; remove one of them"
    if has_levels and "severity" in rule.model_fields_set:
        yield "severity", "severity is not allowed with warning and critical; remove it"
    yield from _shape_problems(rule)


def _shape_problems(rule: Rule) -> Iterator[Problem]:
    needs_pair = rule.operator in _PAIRS
    bounds = {
        name: getattr(rule, name) for name in ("threshold", "warning", "critical", "recovery")
    }
    invalid = [
        name for name, b in bounds.items() if b is not None and isinstance(b, list) != needs_pair
    ]
    for name in invalid:
        expected = "two numbers, [low, high]" if needs_pair else "one number"
        yield name, f"{name} is not valid with operator {rule.operator!r}; expected {expected}"
    if invalid:
        return
    for name, bound in bounds.items():
        if isinstance(bound, list) and bound[0] > bound[1]:
            yield (
                name,
                f"{name}: {exact_text(bound[0])} is above {exact_text(bound[1])}; write the lower bound first",
            )
    yield from _order_problems(rule)


def _order_problems(rule: Rule) -> Iterator[Problem]:
    """Check that critical is beyond warning, and that recovery is not beyond the bounds."""
    if rule.operator not in _ORDERED:
        if rule.recovery is not None and rule.operator not in _PAIRS:
            yield "recovery", f"recovery is not allowed with operator {rule.operator!r}; remove it"
        return
    inclusive = ">=" if rule.operator in {">", ">="} else "<="
    numbers = [b for b in (rule.critical, rule.warning) if isinstance(b, Decimal)]
    if len(numbers) == len(rule.bounds) == 2 and not meets(numbers[0], inclusive, numbers[1]):  # noqa: PLR2004
        yield "critical", "critical is reached before warning; swap the two numbers"
    lowest = next(reversed(rule.bounds.values()), None)
    recovery = rule.recovery
    if (
        isinstance(lowest, Decimal)
        and isinstance(recovery, Decimal)
        and not meets(lowest, inclusive, recovery)
    ):
        yield (
            "recovery",
            f"recovery is beyond the bound {exact_text(lowest)}; expected a value that resolves the alert",
        )


def _key_problems(rule: Rule) -> Iterator[Problem]:
    for column in rule.group_by:
        if column not in rule.key_columns:
            yield (
                "group_by",
                f"{column!r} is not a key column{did_you_mean(column, rule.key_columns)}"
                if rule.key_columns
                else "group_by needs key_columns",
            )
    if rule.on_missing_key is not None and not rule.key_columns:
        yield "on_missing_key", "on_missing_key needs key_columns; without keys, use on_empty"
    if rule.measure == "rows" and (rule.value or rule.reduce):
        yield "measure", "measure: rows counts rows; remove value and reduce"
    if "compare_to" in rule.model_fields_set and not rule.measure.startswith("change"):
        yield "compare_to", "compare_to needs measure: change or change_percent"


def _period_problems(rule: Rule) -> Iterator[Problem]:
    if not rule.every:
        yield "every", "every must be longer than 0s"
    if rule.repeat_every is not None and rule.repeat_every < rule.every:
        yield (
            "repeat_every",
            "repeat_every is shorter than every; expected at least the period of evaluation",
        )


def _recipient_problems(rule: Rule) -> Iterator[Problem]:
    if rule.owner and "@" in rule.owner:
        try:
            _ADDRESS.validate_python(rule.owner)
        except ValidationError:
            yield (
                "owner",
                f"{rule.owner!r} is not a valid email address; expected name@example.com or a channel",
            )
    for channel in rule.channels or []:
        if "@" in channel.name:
            yield "channels", f"write email: [{channel.name}]"


def _presentation_problems(rule: Rule) -> Iterator[Problem]:
    if rule.unit and rule.format != "number":
        yield "unit", f"unit and format: {rule.format} exclude each other; expected one of them"
    if rule.measure == "change_percent" and (rule.unit or rule.format != "number"):
        field = "unit" if rule.unit else "format"
        yield field, f"{field} is not allowed with measure: change_percent, which is in percent"
    runbook = (rule.runbook or "").strip()
    if _ADDRESS_WITH_SCHEME.fullmatch(runbook) and not is_usable_url(runbook):
        text = f"runbook: {runbook!r:.60} is not a valid address"
        yield "runbook", f"{text}; expected one such as https://wiki.example.com/page, or a text"


def _time_problems(rule: Rule) -> Iterator[Problem]:
    problems = list(combination_problems(rule))
    if rule.calendar and rule.weekdays is not None:
        problems.append(("calendar", "calendar and weekdays exclude each other; remove one"))
    if rule.calendar and not rule.has_own_times:
        problems += calendar_problems()
    yield from problems or due_problems(rule, "rule", lambda: due_times(rule))
