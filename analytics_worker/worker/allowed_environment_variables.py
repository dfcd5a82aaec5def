"""List the variables that a caller of the API may set for a run's process, and their valid values.

A value that Prefect or the operating system does not accept ends the process before it can report
why, so values are checked before anything is started. Reads the time zone database; writes nothing.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from analytics_worker.prefect_support.heartbeat_timeout import (
    HEARTBEAT_SECONDS,
    HEARTBEAT_VARIABLE,
)

MAX_BEAT_SECONDS = 3600
MAX_LENGTH = 32_768
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SWITCHES = frozenset({"true", "false", "1", "0", "on", "off", "yes", "no"})
LOCALE_NAME = re.compile("LC_[A-Z]+")
LOCALE = re.compile("[A-Za-z0-9_.@:-]{0,100}")
DIGITS = re.compile("[0-9]{1,4}")


@dataclass(frozen=True)
class Rule:
    """The valid values of a variable, as a text and as a test."""

    expected: str
    accepts: Callable[[str], bool]


def _is_time_zone(value: str) -> bool:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):  # a path, a folder, no such zone
        return False
    return bool(value)


def _is_beat(value: str) -> bool:
    return bool(DIGITS.fullmatch(value)) and HEARTBEAT_SECONDS <= int(value) <= MAX_BEAT_SECONDS


def _is_text(value: str) -> bool:
    try:
        return "\0" not in value and len(value.encode()) <= MAX_LENGTH
    except UnicodeEncodeError:
        return False


OF_LOCALE = Rule("the name of a locale, such as de_DE.UTF-8", lambda v: bool(LOCALE.fullmatch(v)))
OF_PERMITTED = Rule(f"text of at most {MAX_LENGTH:,} bytes without NUL", _is_text)
HARMLESS: Mapping[str, Rule] = {
    "LANG": OF_LOCALE,
    "LANGUAGE": OF_LOCALE,
    "TZ": Rule("the name of a time zone, such as Europe/Berlin", _is_time_zone),
    HEARTBEAT_VARIABLE: Rule(
        f"whole seconds from {HEARTBEAT_SECONDS} to {MAX_BEAT_SECONDS}", _is_beat
    ),
    "PREFECT_LOGGING_LEVEL": Rule(f"one of {', '.join(LEVELS)}", lambda v: v.upper() in LEVELS),
    "PREFECT_LOGGING_LOG_PRINTS": Rule("true or false", lambda v: v.lower() in SWITCHES),
}
"""Change texts, times and log lines, never what code runs or whom it talks to."""


def rule_for(name: str, permitted: Collection[str]) -> Rule | None:
    """The rule for a variable's value; None: a caller of the API may not set it."""
    if name in HARMLESS:
        return HARMLESS[name]
    if name in permitted:
        return OF_PERMITTED
    return OF_LOCALE if LOCALE_NAME.fullmatch(name) else None
