"""Check the contracts of trust.yml: what the server knows of each relation, and its rows if they changed.

Reads rows as the reader, with its limits; writes ops.contracts and ops.contract_checks. A contract that can't be
checked has reasons of its own, and stops no other. Safe to repeat: a check has one row.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic

from sqlalchemy import RowMapping

from analytics_worker.completeness.trust_file import DeclaredContract, load_contracts
from analytics_worker.contracts.checks import (
    CheckResult,
    ReaderRows,
    check_data,
    check_schema,
    data_checks,
)
from analytics_worker.contracts.facts import Facts, read_facts
from analytics_worker.contracts.statements import run
from analytics_worker.database.connections import warehouse
from analytics_worker.database.reader_sessions import ReaderSession, reader_session
from analytics_worker.errors import is_database_outage
from analytics_worker.text import one_line

BUDGET_SECONDS = 60
"""Time after which the rows of other relations are checked in the next run."""
UNCOUNTED_EVERY = timedelta(hours=1)
"""How often rows are checked where the server does not count changes: views and foreign tables."""
RETRY_AFTER = timedelta(hours=1)
SETTINGS = {"severity", "owner"}
"""What does not change what is checked."""


def check_contracts(now: datetime | None = None) -> list[str]:
    """Check all contracts; return a line for each check that could not be measured.

    Raises:
        DefinitionError: trust.yml is not valid.
    """
    at = now or datetime.now(UTC)
    contracts = {(each.schema, each.relation): each for each in load_contracts()}
    definitions = [
        {"schema_name": each.schema, "relation_name": each.relation}
        | {
            "definition": each.contract.model_dump(
                mode="json", exclude_defaults=True, exclude=SETTINGS
            )
        }
        | {"severity": each.contract.severity, "owner": each.contract.owner}
        for each in contracts.values()
    ]
    with warehouse() as connection:
        rows = run(connection, "declared", contracts=json.dumps(definitions))
    if not rows:
        return []
    problems = list(_check_all(rows, contracts, at))
    with warehouse() as connection:
        return problems + [
            f"{row['schema_name']}.{row['relation_name']}: {row['name']}: {row['reason']}"
            for row in run(connection, "unmeasured")
        ]


def _check_all(
    rows: Sequence[RowMapping], contracts: dict[tuple[str, str], DeclaredContract], now: datetime
) -> Iterator[str]:
    end = monotonic() + BUDGET_SECONDS
    with reader_session() as session:
        for row in rows:
            declared = contracts[row["schema_name"], row["relation_name"]]
            try:
                _check(session, declared, row, now, may_read=monotonic() < end)
            except Exception as error:  # any error is the contract's own
                if is_database_outage(error):
                    raise
                yield f"{declared.schema}.{declared.relation}: {one_line(str(error))}"


def _check(
    session: ReaderSession,
    declared: DeclaredContract,
    row: RowMapping,
    now: datetime,
    *,
    may_read: bool,
) -> None:
    contract, names = declared.contract, (declared.schema, declared.relation)
    with warehouse() as connection:
        facts = read_facts(connection, contract, *names)
    results = check_schema(contract, facts)
    has_data = may_read and facts.relkind is not None and _is_due(row, facts, now)
    measured = check_data(ReaderRows(session), contract, facts, *names) if has_data else []
    is_late = any("timeout" in each.message for each in measured)
    kept = [*results, *data_checks(contract, facts)]
    with warehouse() as connection:
        run(
            connection,
            "save_checks",
            schema_name=declared.schema,
            relation_name=declared.relation,
            results=json.dumps([each._asdict() for each in _distinct([*results, *measured])]),
            names=[each.name for each in kept],
            modifications=facts.modifications,
            has_data=has_data,
            checked_at=now,
            retry_at=now + RETRY_AFTER if is_late else None,
        )


def _is_due(row: RowMapping, facts: Facts, now: datetime) -> bool:
    """Return whether rows are to be checked: new rows or a new definition, after a check that took too long, hourly."""
    if not row["is_same_definition"] or row["checked_at"] is None:
        return True
    if row["retry_at"]:
        return now >= row["retry_at"]
    if facts.modifications is None:
        return now - row["checked_at"] >= UNCOUNTED_EVERY
    return facts.modifications != row["modifications"]


def _distinct(results: Sequence[CheckResult]) -> list[CheckResult]:
    return list({each.name: each for each in results}.values())
