"""Compare the rules of the definition files with the stored ones.

Reads nothing, writes nothing. A rule whose ``was`` names a stored rule that is no longer in the files is
that rule under a new name.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import RowMapping

from analytics_worker.definitions.yaml_definitions import differences
from flows.alerts.rules.model import Kind, Rule
from flows.alerts.rules.yaml_files import Definitions

Action = Literal["new", "changed", "renamed", "retired"]


@dataclass(frozen=True)
class RuleChange:
    """One difference between the files and the database."""

    kind: Kind
    name: str
    action: Action
    fields: Mapping[str, tuple[Any, Any]]
    """Old and new value of each changed field."""
    rule_id: int | None = None
    """Id of the stored rule; None if there is none that is active."""
    end_reason: str | None = None
    """Why the alerts of the stored rule end; None if they go on."""


def find_changes(stored: Sequence[RowMapping], rules: Definitions) -> list[RuleChange]:
    """Return what has to change in the database."""
    active = {(row["kind"], row["name"]): row for row in stored if not row["retired"]}
    changes: list[RuleChange] = []
    for key, rule in rules.items():
        old_key = _stored_key(key, rule, active, rules)
        changes += _changes_of(key, rule, active.pop(old_key, None))
    return changes + [_retired(row) for row in active.values()]


def _stored_key(
    key: tuple[Kind, str],
    rule: Rule,
    active: Mapping[tuple[Kind, str], RowMapping],
    rules: Definitions,
) -> tuple[Kind, str]:
    old_key = (key[0], rule.was or rule.name)
    is_renamed = key not in active and old_key not in rules
    return old_key if is_renamed else key


def _changes_of(key: tuple[Kind, str], rule: Rule, row: RowMapping | None) -> Iterator[RuleChange]:
    if row is None:
        yield RuleChange(*key, "new", {})
        return
    definition = json.loads(row["definition"])
    fields = differences(definition, json.loads(rule.to_json()))
    if fields:
        action: Action = "changed" if row["name"] == rule.name else "renamed"
        yield RuleChange(*key, action, fields, row["id"], _end_reason(definition, rule))


def _retired(row: RowMapping) -> RuleChange:
    reason = "the rule was removed"
    return RuleChange(row["kind"], row["name"], "retired", {}, row["id"], reason)


def _end_reason(definition: Mapping[str, Any], rule: Rule) -> str | None:
    """Return why the alerts of the old definition end under the new one."""
    if not rule.enabled:
        return "the rule was disabled"
    if rule.channels == [] and definition.get("channels") != []:
        return "the channels of the rule were removed"
    for field in ("key_columns", "group_by"):
        if definition.get(field, []) != getattr(rule, field):
            return f"the {field} of the rule changed"
    return None
