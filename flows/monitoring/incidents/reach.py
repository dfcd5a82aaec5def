"""Find whom an incident reaches: who receives the reports and rules that fail or are affected, and which promises.

Reads ops.report_definitions, ops.alert_rules, ops.promises and the settings; writes nothing. A stored definition of
another form has no recipients here, and stops no other.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.database.connections import run_sql
from analytics_worker.delivery import default_recipients
from analytics_worker.errors import is_database_outage
from analytics_worker.lineage.graph import Node
from analytics_worker.settings import settings
from analytics_worker.text import counted, value_line
from flows.monitoring.incidents.store import IncidentRecord

KINDS = ("report", "rule", "promise")
MAX_UNITS = 5
MAX_PROMISES = 3
MAX_ADDRESSES = 2
MAX_ADDRESS = 80


class _OfReport(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    to: list[str] = []
    cc: list[str] = []
    bcc: list[str] = []
    channels: list[str] = []


class _OfRule(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    to: list[str] = []


class Recipients(NamedTuple):
    """Who receives a report or the alerts of a rule.

    Attributes:
        kind: report or rule.
        name: Its name.
        number: The number of addresses and channels.
        addresses: Those that may be named: all but the ones in ``bcc``.
        has_rows: Whether the rows of its ``for_each`` have more.
    """

    kind: Literal["report", "rule"]
    name: str
    number: int
    addresses: Sequence[str]
    has_rows: bool = False


class Reach(NamedTuple):
    """Whom an incident reaches."""

    recipients: Sequence[Recipients] = ()
    promises: Mapping[str, str] = {}
    """What is promised, by the name of the promise, such as "by 07:30 UTC"."""

    def without_addresses(self) -> "Reach":
        """Return the same with the numbers of recipients alone."""
        return self._replace(recipients=[each._replace(addresses=()) for each in self.recipients])


NO_REACH = Reach()


def reach_of(connection: Connection, record: IncidentRecord) -> Reach:
    """Return whom an incident reaches; a promise that is its cause is no consequence."""
    units = record.incident.units.union(record.affected)
    cause = record.incident.cause
    return _reach_of_units(connection, units - {cause} if cause.kind == "promise" else units)


def _reach_of_units(connection: Connection, units: Collection[Node]) -> Reach:
    """Return whom units reach; nothing if that can't be read: messages do not wait for it."""
    names = {kind: sorted(n.name for n in units if n.kind == kind) for kind in KINDS}
    if not any(names.values()):
        return NO_REACH
    try:
        with connection.begin_nested():
            rows = run_sql(connection, "monitoring/incident_reach", **_parameters(names))
    except SQLAlchemyError as error:
        if is_database_outage(error):
            raise
        return NO_REACH
    found = [_recipients(row) for row in rows if row["kind"] != "promise"]
    promises = {row["name"]: row["text"] or "" for row in rows if row["kind"] == "promise"}
    return Reach([each for each in found if each.number or each.has_rows], promises)


def _parameters(names: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {f"{kind}s": names[kind] for kind in KINDS}


def _recipients(row: RowMapping) -> Recipients:
    try:
        named, hidden = (_of_report if row["kind"] == "report" else _of_rule)(row["recipients"])
    except (ValidationError, TypeError):
        named, hidden = [], 0
    unique = list(dict.fromkeys(named))
    return Recipients(row["kind"], row["name"], len(unique) + hidden, unique, row["has_rows"])


def _of_report(stored: Any) -> tuple[list[str], int]:
    """Return the addresses and channels that may be named, and how many others there are."""
    found = _OfReport.model_validate(stored or {})
    named = [*found.to, *found.cc, *found.channels]
    return named, len(set(found.bcc) - set(named))


def _of_rule(stored: Any) -> tuple[list[str], int]:
    if stored is None:
        return [each.address for each in default_recipients()], 0
    channels = [_OfRule.model_validate(each) for each in stored]
    return [address for each in channels for address in _addresses(each)], 0


def _addresses(channel: _OfRule) -> list[str]:
    default = [each for each in settings().alert_email_to if each]
    return channel.to or (default if channel.name == "email" and default else [channel.name])


def reach_lines(reach: Reach) -> list[str]:
    """Return a line for each report and rule with recipients, and for each promise, the first ones."""
    promises = [
        f"- promise of {value_line(name)} {value_line(text)}"
        for name, text in reach.promises.items()
    ]
    return [*_first([*map(_line, reach.recipients)], MAX_UNITS), *_first(promises, MAX_PROMISES)]


def _first(lines: Sequence[str], limit: int) -> list[str]:
    more = len(lines) - limit
    return [*lines[:limit], *([f"- and {more} more"] if more > 0 else [])]


def _line(unit: Recipients) -> str:
    names = [value_line(each, MAX_ADDRESS) for each in unit.addresses[:MAX_ADDRESSES]]
    more = unit.number - len(names)
    shown = [*names, *([f"+{more}"] if more else [])] if names else []
    count = counted(unit.number, "recipient") if unit.number else ""
    rows = "those of its rows" if unit.has_rows else ""
    who = " and ".join(filter(None, (count, rows)))
    return (
        f"- {unit.kind} {value_line(unit.name)} -> {who}{': ' if shown else ''}{', '.join(shown)}"
    )


def reach_json(reach: Reach) -> dict[str, object]:
    """Return the fields of webhooks: addresses only if they may be named."""
    return {
        "reaches": [dict(_fields(each)) for each in reach.recipients],
        "promises": [
            {"name": value_line(name), "promised": text} for name, text in reach.promises.items()
        ],
    }


def _fields(unit: Recipients) -> Iterator[tuple[str, object]]:
    yield from (("kind", unit.kind), ("name", value_line(unit.name)), ("recipients", unit.number))
    if unit.addresses:
        yield "addresses", [value_line(each, MAX_ADDRESS) for each in unit.addresses]
