"""Decide what a key is whose row is missing: resolved, without data, or unchanged.

Reads nothing, writes nothing. A rule whose SQL has HAVING returns only the rows that are bad, so a key
without a row is resolved by default.
"""

from functools import lru_cache

from analytics_worker.database.sql_tokens import tokens
from flows.alerts.rules.model import MissingKey, Rule


def missing_key_status(rule: Rule) -> MissingKey | None:
    """Return the status of a missing key; None if ``on_empty`` or the count of its rows decides."""
    if rule.on_missing_key is not None:
        return rule.on_missing_key
    if rule.on_empty != "no_data" or rule.is_count:
        return None
    return "resolve" if _has_having(rule.sql or "") else None


@lru_cache(maxsize=4096)
def _has_having(sql: str) -> bool:
    return any(token.kind == "name" and token.value == "having" for token in tokens(sql))
