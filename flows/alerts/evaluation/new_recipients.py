"""Notify recipients that a rule got while its alerts fire: of each alert once, as firing.

Reads nothing, writes nothing. A state records who was notified that it fires. That includes earlier
recipients of the rule, so that one that is added again is not notified twice.
"""

from collections.abc import Collection, Iterable, Sequence

from analytics_worker.delivery.message import Recipient
from flows.alerts.evaluation.samples import group_of
from flows.alerts.evaluation.state_machine import AlertState, States
from flows.alerts.notifications.model import FIRING_KINDS, EventKind, Notification
from flows.alerts.rules.model import Rule


def notify_new_recipients(
    rule: Rule,
    states: States,
    due: Iterable[Notification],
    muted: Collection[str],
    recipients: Sequence[Recipient],
) -> tuple[dict[str, AlertState], list[Notification]]:
    """Return the states with all who are notified, and the notifications of the new recipients.

    Args:
        rule: The rule.
        states: Its states after the notifications that are due.
        due: These notifications; they are for all recipients.
        muted: Keys whose alerts are muted; new recipients are notified of them later.
        recipients: The recipients of the rule; states do not change without any.
    """
    if not recipients:
        return dict(states), []
    notified_now = {key for each in due if each.kind in FIRING_KINDS for key in each.states}
    after: dict[str, AlertState] = {}
    groups: dict[tuple[EventKind, str, tuple[Recipient, ...]], dict[str, AlertState]] = {}
    for key, state in states.items():
        is_new = key in notified_now or state.told_to is None
        waits = not is_new and (key in muted or state.status != "firing")
        after[key] = state if waits else _told(state, recipients)
        if not (is_new or waits) and after[key] != state and state.is_notified:
            kind = "flapping" if state.flapping_since else "firing"
            missing = tuple(each for each in recipients if each[:2] not in (state.told_to or ()))
            groups.setdefault((kind, group_of(rule, key), missing), {})[key] = after[key]
    return after, [
        Notification(kind, group=group, states=notified, recipients=missing)
        for (kind, group, missing), notified in groups.items()
    ]


def _told(state: AlertState, recipients: Sequence[Recipient]) -> AlertState:
    """Return the state with all recipients that know that it fires; none if it was not notified."""
    if not state.is_notified:
        return state if state.told_to is None else state._replace(told_to=None)
    earlier = state.told_to or ()
    added = tuple(each[:2] for each in recipients if each[:2] not in earlier)
    return state._replace(told_to=earlier + added) if added else state
