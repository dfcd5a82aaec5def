"""How the fields of a rule go together; each mistake with the field it is about.

Reads the settings; writes nothing.
"""

from collections.abc import Iterator
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from analytics_worker.database.select_guard import StatementError, check, placeholders
from analytics_worker.database.user_sql_checks import Problem, limit_problems
from analytics_worker.definitions.yaml_definitions import did_you_mean
from flows.alerts.evaluation.conditions import meets
from flows.alerts.rules.model import Address, Rule

LONGEST_TIMEOUT = timedelta(minutes=3)
"""A flow that evaluates rules ends after four minutes."""

NOW = "now"
"""A placeholder that every rule may use: the time as of which it is evaluated."""

_ORDERED = {">", "<", ">=", "<="}
_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)


def problems(rule: Rule) -> list[Problem]:
    """Every mistake in how the fields go together; none for a rule that can be stored."""
    return [
        *_sql(rule),
        *_bounds(rule),
        *_keys(rule),
        *_times(rule),
        *_people(rule),
        *limit_problems(rule.timeout, LONGEST_TIMEOUT, rule.reader),
    ]


def _sql(rule: Rule) -> Iterator[Problem]:
    if rule.sql is None:
        yield "sql", "sql is missing: one SELECT with a numeric column"
        return
    try:
        check(rule.sql)
    except StatementError as error:
        yield "sql", str(error)
    used = placeholders(rule.sql)
    for name in sorted(used - set(rule.parameters) - {NOW}):
        yield (
            "sql",
            f"the SQL uses :{name}{did_you_mean(name, rule.parameters)}; add it to parameters",
        )
    for name in sorted(set(rule.parameters) - used):
        yield "parameters", f"{name!r} is not used: write :{name} in the SQL, or remove it"


def _bounds(rule: Rule) -> Iterator[Problem]:
    levels = rule.warning is not None or rule.critical is not None
    if rule.threshold is None and not levels:
        yield "name", "there is no bound: write threshold, or warning and critical"
    if rule.threshold is not None and levels:
        yield "threshold", "write threshold (with severity), or warning and critical, not both"
    if levels and "severity" in rule.model_fields_set:
        yield "severity", "warning and critical have their severities; remove this one"
    yield from _shapes(rule)


def _shapes(rule: Rule) -> Iterator[Problem]:
    pair = rule.operator == "between"
    named = {name: getattr(rule, name) for name in ("threshold", "warning", "critical", "recovery")}
    wrong = [name for name, b in named.items() if b is not None and isinstance(b, list) != pair]
    for name in wrong:
        expected = "two numbers, [low, high]," if pair else "one number"
        yield name, f"{name} has to be {expected} with operator {rule.operator!r}"
    if wrong:
        return
    for name, bound in named.items():
        if isinstance(bound, list) and bound[0] > bound[1]:
            yield name, f"{name}: {bound[0]:g} is above {bound[1]:g}; write the lower one first"
    yield from _order(rule)


def _order(rule: Rule) -> Iterator[Problem]:
    """Critical lies beyond warning, recovery on the way back."""
    if rule.operator not in _ORDERED:
        if rule.recovery is not None and rule.operator != "between":
            yield "recovery", f"recovery makes no sense with {rule.operator!r}; remove it"
        return
    loose = ">=" if rule.operator in {">", ">="} else "<="
    numbers = [b for b in (rule.critical, rule.warning) if isinstance(b, float)]
    if len(numbers) == len(rule.bounds) == 2 and not meets(numbers[0], loose, numbers[1]):  # noqa: PLR2004
        yield "critical", "critical is reached before warning; swap the two numbers"
    lowest = next(reversed(rule.bounds.values()), None)
    back = rule.recovery if isinstance(rule.recovery, float) else lowest
    if isinstance(lowest, float) and not meets(lowest, loose, lowest if back is None else back):
        yield "recovery", f"recovery lies beyond the bound {lowest:g}; it is where it is over"


def _keys(rule: Rule) -> Iterator[Problem]:
    for column in rule.group_by:
        if column not in rule.key_columns:
            yield (
                "group_by",
                f"{column!r} is no key column{did_you_mean(column, rule.key_columns)}"
                if rule.key_columns
                else "group_by needs key_columns",
            )
    if rule.measure == "rows" and (rule.value or rule.reduce):
        yield "measure", "measure: rows counts rows; remove value and reduce"
    if "compare_to" in rule.model_fields_set and not rule.measure.startswith("change"):
        yield "compare_to", "compare_to needs measure: change or change_percent"


def _times(rule: Rule) -> Iterator[Problem]:
    if not rule.every:
        yield "every", "every has to be longer than 0s"
    if rule.repeat_every is not None and rule.repeat_every < rule.every:
        yield (
            "repeat_every",
            "repeat_every is shorter than every; the rule is not evaluated so often",
        )


def _people(rule: Rule) -> Iterator[Problem]:
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
