"""Compute the states of a rule after an observation: of known and new keys, and of missing ones.

Reads nothing, writes nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from analytics_worker.presentation.exact_numbers import change, change_percent
from flows.alerts.evaluation.observation import Failure, Observation, ReportedStatus
from flows.alerts.evaluation.samples import NO_KEY, Samples
from flows.alerts.evaluation.state_machine import (
    AlertState,
    Classification,
    States,
    classify,
    update_state,
)
from flows.alerts.expected.history import Expectations
from flows.alerts.rules.missing_keys import missing_key_status
from flows.alerts.rules.model import MissingKey, Rule


def next_states(
    rule: Rule,
    before: States,
    observation: Observation,
    now: datetime,
    baseline: Mapping[str, Decimal] | None,
    expectations: Expectations | None = None,
) -> dict[str, AlertState]:
    """Return the states after the observation, before notifications."""
    if isinstance(observation, Failure):
        if rule.on_error != "alert":
            return _states_of_failure(rule, before, now)
        observation = ReportedStatus(rule.highest_severity, None)
    if isinstance(observation, ReportedStatus):
        return _reported_states(rule, before, observation, now)
    return {
        key: _next_state(
            expectations.bounded_rule(key) if expectations else rule,
            before.get(key) or AlertState(now),
            key,
            observation,
            now,
            baseline,
        )
        for key in _observed_keys(rule, before, observation)
    }


def _states_of_failure(rule: Rule, before: States, now: datetime) -> dict[str, AlertState]:
    """Return the states unchanged; with ``keep_last``, pending alerts go on."""
    if rule.on_error == "error":
        return dict(before)
    return {
        key: update_state(rule, state, "keep_last", state.value, now)
        for key, state in before.items()
    }


def _reported_states(
    rule: Rule, before: States, reported: ReportedStatus, now: datetime
) -> dict[str, AlertState]:
    """Return the states with the reported status, for all keys."""
    if reported.status == "keep_last":
        return dict(before)
    current = before or {NO_KEY: AlertState(now)}
    return {
        key: update_state(rule, state, reported.status, reported.value, now)
        for key, state in current.items()
    }


def _observed_keys(rule: Rule, before: States, samples: Samples) -> list[str]:
    """Return known and new keys; no rows at all count as an observation without a key."""
    keys = dict.fromkeys([*before, *samples])
    if not keys and rule.on_empty == "alert":
        return [NO_KEY]
    return list(keys)


def _next_state(
    rule: Rule,
    state: AlertState,
    key: str,
    samples: Samples,
    now: datetime,
    baseline: Mapping[str, Decimal] | None,
) -> AlertState:
    if rule.key_columns and key == NO_KEY and samples:  # rows with keys replace the empty result
        return update_state(rule, state, "ok", None, now)
    is_missing = key != NO_KEY and key not in samples
    if is_missing and not rule.key_columns:  # a key of an earlier definition
        return update_state(rule, state, "ok", None, now)
    if is_missing and (status := missing_key_status(rule)):
        return _missing(rule, state, status, now)
    sample = samples.get(key, Decimal(0) if rule.is_count else None)
    base = state.sample if baseline is None else baseline.get(key)
    value = _measure(rule, sample, base)
    classification = classify(rule, state, value)
    observed = state._replace(
        value=value,
        sample=state.sample if sample is None else sample,
        missing_since=(state.missing_since or now) if is_missing else None,
    )
    return update_state(rule, observed, classification, value, now)


def _missing(rule: Rule, state: AlertState, status: MissingKey, now: datetime) -> AlertState:
    """Return the state of a key without a row; it is resolved in the second evaluation without."""
    first = state.missing_since or now
    state = state._replace(missing_since=first)
    if status == "resolve":
        return update_state(rule, state, "ok", None, now) if first < now else state
    kept: Classification = "keep_last" if status == "keep" else "no_data"
    return update_state(rule, state, kept, None, now)


def _measure(rule: Rule, sample: Decimal | None, base: Decimal | None) -> Decimal | None:
    """Return the value to compare: the sample, or its change since the base."""
    if not rule.measure.startswith("change"):
        return sample
    if sample is None or base is None:
        return None
    is_percent = rule.measure == "change_percent"
    result = change_percent(sample, base) if is_percent else change(sample, base)
    return None if result.is_nan() else result
