"""Find which alerts of rules with ``expected`` have too few samples yet, and how many are missing.

Reads the recorded samples of these rules; writes nothing.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from sqlalchemy import Connection

from analytics_worker.errors import PermanentError
from flows.alerts.expected.baseline import Learning
from flows.alerts.expected.history import load_expectations_at
from flows.alerts.rules.model import Rule

Alert = tuple[int, str]
"""Id of a rule, and a key."""


def learning_texts(connection: Connection, alerts: Mapping[Alert, Rule]) -> dict[Alert, str]:
    """Return ``learning, 2 of 3 samples`` of the alerts that are learning."""
    rules = {rule_id: rule for (rule_id, _), rule in alerts.items() if rule.expected}
    expectations = load_expectations_at(connection, rules, datetime.now(UTC))
    texts: dict[Alert, str] = {}
    for rule_id, key in alerts:
        if rule_id in expectations:
            with suppress(PermanentError):  # an invalid calendar is an error of the rule
                found = expectations[rule_id].of(key)
                texts |= {(rule_id, key): found.text} if isinstance(found, Learning) else {}
    return texts
