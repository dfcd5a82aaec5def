"""Messages of two sample rules about the warehouse, as if their alerts fired.

Reads the warehouse and the definitions; writes nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.delivery.message import Content
from flows.alerts.evaluation.conditions import worst_value
from flows.alerts.evaluation.queries import read_samples
from flows.alerts.evaluation.samples import NO_KEY, Samples
from flows.alerts.evaluation.state_machine import RuleHealth
from flows.alerts.evaluation.transition import apply_evaluation
from flows.alerts.notifications.recent_values import MAX_VALUES
from flows.alerts.notifications.rendering import render_notification
from flows.alerts.rules import yaml_files
from flows.alerts.rules.model import Rule

WITH_HISTORY, WITH_KEYS = "win-rate", "consent-coverage"
RUNBOOK = "https://wiki.example.com/runbooks/win-rate"
_EVENT = "0b8a3f0e-6f2b-4d0e-9a55-2d1c4d6f7a10"
RUN_URL = f"http://127.0.0.1:4200/runs/flow-run/{_EVENT}"
_STEP = timedelta(days=7)


def alert_messages() -> list[Content]:
    """Return the message of an alert with its recent values, and one with several keys."""
    rules = yaml_files.load()
    now = datetime.now(UTC).replace(microsecond=0)
    times = [now - number * _STEP for number in reversed(range(MAX_VALUES))]
    own = {"runbook": RUNBOOK, "owner": "sales@example.com", "timezone": "Europe/Berlin"}
    history = yaml_files.find(rules, WITH_HISTORY).model_copy(update=own)
    return [_message(history, times), _message(yaml_files.find(rules, WITH_KEYS), times[-1:])]


def _message(rule: Rule, times: Sequence[datetime]) -> Content:
    with reader_session(rule.reader) as session:
        samples = [read_samples(session, rule, at)[0] for at in times]
    firing = _with_bound(rule, samples[-1])
    result = apply_evaluation(firing, {}, RuleHealth(), samples[-1], times[-1])
    values = {NO_KEY: [each.get(NO_KEY) for each in samples]} if len(samples) > 1 else {}
    notification = replace(result.notifications[0], recent_values=values)
    return render_notification(firing, notification, times[-1], _EVENT, run_url=RUN_URL).model_copy(
        update={"severity": "critical"}
    )


def _with_bound(rule: Rule, samples: Samples) -> Rule:
    """Return the rule with a critical bound that the worst sample has passed."""
    worst = worst_value(rule, samples.values()) or Decimal(0)
    bound = round(worst * Decimal("1.05"), 2)
    update = {"critical": bound, "warning": None, "threshold": None, "recovery": None}
    return rule.model_copy(update={**update, "channels": None})
