"""The definition files for `analytics-worker up`, which takes them into its sample warehouse.

Each function writes what its ``sync`` command writes, and says in one line what changed. A warehouse
of the user's own gets nothing without being asked: that is what the ``sync`` commands are for.
"""

from collections import Counter


def alert_rules() -> str:
    """Store definitions/alerts.yml and thresholds.yml."""
    from flows.alerts import _definitions, _sync  # noqa: PLC0415  # imports Prefect

    rules = _definitions.load()
    changed = Counter(change.action for change in _sync.sync(rules))
    return f"{len(rules)} rules of definitions/ ({_counted(changed)})"


def report_definitions() -> str:
    """Store definitions/reports.yml."""
    from flows.reports import _definitions, _sync  # noqa: PLC0415  # imports Prefect

    reports = _definitions.load()
    changed = Counter(change.action for change in _sync.sync(reports))
    return f"{len(reports)} reports of definitions/ ({_counted(changed)})"


def _counted(changed: Counter[str]) -> str:
    return ", ".join(f"{count} {action}" for action, count in changed.items()) or "unchanged"


DEFINITIONS = {"alerts": alert_rules, "reports": report_definitions}
