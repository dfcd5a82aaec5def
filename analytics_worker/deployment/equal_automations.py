"""Compare automations by what they do. Pure functions.

Their triggers have sets, whose order differs from process to process: as text, an equal one would be replaced.
"""

import json
from typing import Any

from prefect.events.schemas.automations import AutomationCore


def comparable(automation: AutomationCore, ignored: frozenset[str]) -> str:
    """Return all fields but those that are ignored, as a text that is the same in every process."""
    fields = set(AutomationCore.model_fields) - ignored
    content = automation.model_dump(include=fields, exclude={"trigger": {"id"}})
    return json.dumps(_ordered(content), default=str, sort_keys=True)


def _ordered(value: Any) -> Any:
    match value:
        case dict():
            return {key: _ordered(inner) for key, inner in value.items()}
        case list():
            return [_ordered(inner) for inner in value]
        case set() | frozenset():
            return sorted(map(str, value))
        case _:
            return value
