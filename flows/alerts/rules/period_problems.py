"""Check how ``period`` combines with the SQL and the parameters of a rule.

Reads nothing, writes nothing.
"""

from collections.abc import Collection, Iterator

from analytics_worker.database.user_sql_checks import Problem
from flows.alerts.rules.model import Rule
from flows.alerts.rules.periods import PERIOD_PARAMETERS


def period_problems(rule: Rule, used: Collection[str]) -> Iterator[Problem]:
    """Yield the problems of a rule whose SQL uses these placeholders."""
    if rule.period is None:
        if rule.include_partial:
            yield (
                "include_partial",
                "include_partial needs period: day (hour, week, month, quarter)",
            )
        return
    if not PERIOD_PARAMETERS & set(used):
        yield (
            "period",
            "the SQL uses neither :period_start nor :period_end; use them, or remove period",
        )
    for name in sorted(PERIOD_PARAMETERS & set(rule.parameters)):
        yield "parameters", f"{name!r} is the period of the rule; give the parameter another name"
