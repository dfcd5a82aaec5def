"""Check the new content of a materialized view against its contract before readers see it.

Reads ops.contracts, and the rows in the transaction of the refresh, which alone sees them; writes nothing. If they
break the contract, that transaction is rolled back, so that readers keep the content of before.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from analytics_worker.contracts.checks import (
    TIMEOUT,
    CheckResult,
    Status,
    check_data,
    check_schema,
)
from analytics_worker.contracts.facts import Facts, read_facts
from analytics_worker.contracts.model import Contract
from analytics_worker.database.connections import run_sql
from analytics_worker.text import first_of
from flows.analytics._psycopg import driver_connection
from flows.analytics._refresh_errors import PermanentRefreshError
from flows.analytics._views import View

MAX_NAMED = 5


class NotPublishedError(PermanentRefreshError):
    """The new content breaks the contract of the view."""


class _Transaction:
    """The rows that a transaction sees; an error in a statement leaves the transaction usable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def driver_connection(self) -> Any:
        return driver_connection(self._connection)

    def count(self, statement: str) -> int:
        limit = f"{int(TIMEOUT.total_seconds() * 1000)}"
        with self._connection.begin_nested():
            before = run_sql(self._connection, "analytics/limit_check", statement_timeout=limit)
            found = self._connection.exec_driver_sql(
                statement, execution_options={"no_parameters": True}
            ).scalar_one()
            run_sql(
                self._connection, "analytics/limit_check", statement_timeout=before[0]["before"]
            )
        return int(found)


def check_content(connection: Connection, view: View) -> str | None:
    """Check the content that the transaction has; return what could not be measured.

    Raises:
        NotPublishedError: it breaks the contract.
    """
    names = (view.schema_name, view.view_name)
    rows = run_sql(
        connection, "analytics/contract_to_publish", schema_name=names[0], view_name=names[1]
    )
    if not rows:
        return None
    contract = Contract.model_validate(rows[0]["definition"])
    facts = read_facts(connection, contract, *names)
    results = [*check_schema(contract, facts), *_check_rows(connection, contract, facts, view)]
    if broken := _messages(results, "broken"):
        raise NotPublishedError(
            f"{view.label} was not published, readers keep its content of before: {broken}"
        )
    unmeasured = _messages(results, "not measured")
    return f"published without some checks: {unmeasured}" if unmeasured else None


def _check_rows(
    connection: Connection, contract: Contract, facts: Facts, view: View
) -> list[CheckResult]:
    """Check the rows, but run no operator that is not PostgreSQL's own as the worker's role."""
    known = {name: column for name, column in facts.columns.items() if column["is_built_in"]}
    left_out = [name for name in contract.names if name in facts.columns and name not in known]
    results = check_data(
        _Transaction(connection),
        contract,
        facts._replace(columns=known),
        view.schema_name,
        view.view_name,
    )
    return results + [
        CheckResult(
            name, "not measured", f"{name} is {facts.columns[name]['type']}, no type of PostgreSQL"
        )
        for name in left_out
    ]


def _messages(results: Iterable[CheckResult], status: Status) -> str:
    found = [each.message for each in results if each.status == status]
    return first_of(found, MAX_NAMED, "; ")
