"""Mute the alerts of a rule while a rule of its ``depends_on`` fires.

Reads ops.alert_rules and ops.alert_states. The states of a rule that is evaluated in the same batch count
as they are after that: a batch evaluates it before the rules that depend on it. A rule that was
firing and fails goes on to mute for its ``no_data_after``, as its own alerts go on to fire without data.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Protocol, TypeVar

from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql
from analytics_worker.definitions.durations import parse_duration
from flows.alerts.evaluation.locking import Claim
from flows.alerts.evaluation.samples import NO_KEY
from flows.alerts.evaluation.state_machine import RuleHealth, States
from flows.alerts.rules.model import DEFAULT_NO_DATA_PERIOD, Rule


@dataclass(frozen=True)
class FiringRule:
    """A rule that others depend on, and its keys that fire."""

    name: str
    key_columns: tuple[str, ...]
    keys: frozenset[str]
    no_data_after: timedelta
    error_since: datetime | None = None

    def is_firing(self, now: datetime) -> bool:
        """Return whether it fires, as far as is known."""
        is_lost = self.error_since and now - self.error_since >= self.no_data_after
        return bool(self.keys) and not is_lost

    def mutes_all(self, rule: Rule) -> bool:
        """Return whether it mutes all alerts of a rule: it has no keys of the same columns."""
        matches_keys = self.key_columns and set(self.key_columns) == set(rule.key_columns)
        return NO_KEY in self.keys if matches_keys else bool(self.keys)

    def mutes(self, rule: Rule, key: str) -> bool:
        """Return whether it mutes the alert of a key."""
        return self.mutes_all(rule) or _in_columns(rule.key_columns, key, self.key_columns) in (
            self.keys
        )


def _in_columns(columns: Sequence[str], key: str, other: Sequence[str]) -> str | None:
    """Return the key with its values in the order of other columns; None if these are not the same."""
    if not key or len(columns) != len(other):
        return None
    values = dict(zip(columns, json.loads(key), strict=False))
    if set(values) != set(other):
        return None
    return json.dumps([values[column] for column in other], ensure_ascii=False)


def muting_rule(rule: Rule, key: str, muting: Iterable[FiringRule]) -> str | None:
    """Return the name of the first rule that mutes the alert of a key."""
    return next((each.name for each in muting if each.mutes(rule, key)), None)


def rule_muting_all(rule: Rule, muting: Iterable[FiringRule]) -> str | None:
    """Return the name of the first rule that mutes all alerts of a rule."""
    return next((each.name for each in muting if each.mutes_all(rule)), None)


class Dependencies:
    """The rules that the rules of a batch depend on, with their current states."""

    def __init__(self, rules: Mapping[int, FiringRule], ids: Mapping[str, Sequence[int]]) -> None:
        self._rules, self._ids = dict(rules), ids

    def ids(self, rule: Rule) -> list[int]:
        """Return the ids of the rules that a rule depends on."""
        found = (id_ for name in rule.depends_on for id_ in self._ids.get(name, ()))
        return list(dict.fromkeys(found))

    def muting(self, rule: Rule, now: datetime) -> tuple[FiringRule, ...]:
        """Return the firing rules that a rule depends on."""
        rules = (self._rules[id_] for id_ in self.ids(rule))
        return tuple(each for each in rules if each.is_firing(now))

    def update(self, rule_id: int, states: States, health: RuleHealth) -> None:
        """Record the new states of a rule, for those that depend on it."""
        if rule_id in self._rules:
            keys = frozenset(key for key, state in states.items() if state.status == "firing")
            self._rules[rule_id] = replace(
                self._rules[rule_id], keys=keys, error_since=health.since
            )


def load_dependencies(connection: Connection, claims: Sequence[Claim]) -> Dependencies:
    """Return the rules that the claimed rules depend on."""
    names = sorted({name for claim in claims for name in claim.rule.depends_on})
    ids: dict[str, list[int]] = {name: [] for name in names}
    rules: dict[int, FiringRule] = {}
    for row in run_sql(connection, "alerts/firing_keys", names=names) if names else []:
        rules[row["id"]] = _firing_rule(row)
        for name in {row["name"], row["was"]} & ids.keys():
            ids[name].append(row["id"])
    return Dependencies(rules, ids)


def _firing_rule(row: RowMapping) -> FiringRule:
    columns, no_data_after = tuple(row["key_columns"]), row["no_data_after"]
    return FiringRule(
        row["name"],
        columns,
        frozenset(row["keys"]),
        parse_duration(no_data_after) if no_data_after else DEFAULT_NO_DATA_PERIOD,
        row["error_since"],
    )


class _HasClaim(Protocol):
    @property
    def claim(self) -> Claim: ...


T = TypeVar("T", bound=_HasClaim)


def dependencies_first(evaluations: Sequence[T], dependencies: Dependencies) -> Iterable[T]:
    """Return the evaluations, each after those of the rules that it depends on."""
    by_id = {each.claim.id: each for each in evaluations}
    graph = {id_: dependencies.ids(each.claim.rule) for id_, each in by_id.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError:  # stored before a rule was renamed or removed
        return evaluations
    return [by_id[id_] for id_ in order if id_ in by_id]
