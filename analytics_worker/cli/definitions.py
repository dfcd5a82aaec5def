"""Store the definition files for `analytics-worker up`, in its own sample warehouse only.

Each function writes what its ``sync`` command writes and returns one line about what changed. A
warehouse of the user is never written to unasked: that is what the ``sync`` commands are for.
"""

from collections import Counter


def alert_rules() -> str:
    """Store definitions/alerts.yml and thresholds.yml."""
    from flows.alerts.rules import sync, yaml_files  # noqa: PLC0415  # imports Prefect

    rules = yaml_files.load()
    changed = Counter(change.action for change in sync.sync(rules))
    return f"{len(rules)} rules of definitions/ ({_counted(changed)})"


def report_definitions() -> str:
    """Store definitions/reports.yml."""
    from flows.reports.definitions import sync, yaml_files  # noqa: PLC0415  # imports Prefect

    reports = yaml_files.load()
    changed = Counter(change.action for change in sync.sync(reports))
    return f"{len(reports)} reports of definitions/ ({_counted(changed)})"


def _counted(changed: Counter[str]) -> str:
    return ", ".join(f"{count} {action}" for action, count in changed.items()) or "unchanged"


DEFINITIONS = {"alerts": alert_rules, "reports": report_definitions}
