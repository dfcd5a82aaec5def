"""Name the state that a message reports, as the label of its subject: ``STILL CRITICAL``, ``ENDED``.

Reads nothing, writes nothing.
"""

from collections.abc import Mapping

_WITH_SEVERITY: Mapping[str, str] = {
    "firing": "{}",
    "firing_again": "{} again",
    "still_firing": "still {}",
}
WITHOUT_SEVERITY = frozenset(
    {"error", "error_resolved", "missing_data", "missing_data_resolved", "resolved", "ended"}
)
"""Kinds of alert messages whose stored severity decides their color only."""


def kind_label(kind: str, severity: str | None) -> str:
    """Return the label of a kind of message."""
    text = _WITH_SEVERITY.get(kind, kind.replace("_", " "))
    return text.replace("{}", severity or "alert").upper()
