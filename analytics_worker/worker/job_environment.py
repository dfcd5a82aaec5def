"""Decide which variables a job may set for its process, and to which values.

A value that Prefect or Python cannot read ends the process before it can report, so it is refused
here. Pure decisions; reads and writes nothing.
"""

import re
from collections.abc import Collection, Mapping

LOCALE = r"[A-Za-z0-9_.@:-]{0,200}"
HARMLESS = {
    "LANG": LOCALE,
    "LANGUAGE": LOCALE,
    "LC_[A-Z]{1,40}": LOCALE,
    "TZ": r"[A-Za-z][A-Za-z0-9_+/-]{0,99}",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": r"([3-9][0-9]|[1-9][0-9]{2,4})?",
    "PREFECT_LOGGING_LEVEL": "DEBUG|INFO|WARNING|ERROR|CRITICAL",
    "PREFECT_LOGGING_LOG_PRINTS": "true|false|True|False|1|0",
}
"""Names and their values, as patterns: texts, times and log lines, never what code runs."""
ANY_VALUE = r"[^\0]*"


def refused_names(names: Collection[str], allowed: Collection[str]) -> list[str]:
    """Return the variables that a job may not set, sorted."""
    return sorted(name for name in names if _pattern(name, allowed) is None)


def unusable_value(variables: Mapping[str, object], allowed: Collection[str]) -> str | None:
    """Return the first variable whose value cannot be used; ``None`` removes a variable."""
    for name, value in sorted(variables.items()):
        pattern = _pattern(name, allowed) or ANY_VALUE
        if value is not None and not re.fullmatch(pattern, str(value)):
            return name
    return None


def _pattern(name: str, allowed: Collection[str]) -> str | None:
    found = (value for known, value in HARMLESS.items() if re.fullmatch(known, name))
    return next(found, ANY_VALUE if name in allowed else None)
