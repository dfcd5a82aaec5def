"""Check that user SQL is exactly one reading statement, and bind its parameters as literals.

Reads nothing, writes nothing. These checks give clear messages early. The boundary is the role that
runs the SQL and the cursor in which it runs (`analytics_worker.database.reader_sessions`).
"""

from collections.abc import Mapping
from typing import Any

import psycopg2
from psycopg2.extensions import adapt

from analytics_worker.database.refused_functions import (
    REFUSED_NAMES,
    called_names,
    mentions,
    refused_functions,
)
from analytics_worker.database.sql_tokens import Token, UnfinishedError, tokens
from analytics_worker.errors import PermanentError

READING = {"select", "with", "values", "table"}


class StatementError(PermanentError):
    """The SQL is not one reading statement; the message gives the reason."""


def check(sql: str) -> None:
    """Accept one SELECT (or WITH, VALUES, TABLE).

    Raises:
        StatementError: there is no statement, more than one, or it does more than read.
    """
    sql_tokens = _tokens(sql)
    statements = _statements(sql_tokens)
    if not statements:
        raise StatementError("the SQL is empty; expected one SELECT")
    if len(statements) > 1:
        raise StatementError(f"there are {len(statements)} statements; expected one SELECT")
    first = next((token.value for token in statements[0] if token.value != "("), "")
    if first not in READING:
        raise StatementError(f"{first.upper()[:40]} is not allowed; expected one SELECT")
    _refuse_calls(sql_tokens)


def refuse_functions(sql: str, pool: Any, connection: Any) -> None:
    """Refuse a statement that calls a function of the server with effects beyond its result.

    Raises:
        StatementError: it calls one; the message names the function.
    """
    names = refused_functions(pool, connection)
    if mentions(sql, names):
        _refuse_calls(_tokens(sql), names)


def _refuse_calls(sql_tokens: list[Token], names: frozenset[str] = frozenset()) -> None:
    if any(token.kind == "unicode_name" for token in sql_tokens):
        raise StatementError('U&"…" is not allowed in the SQL of rules and reports')
    for name in called_names(sql_tokens):
        if name in names or REFUSED_NAMES.fullmatch(name):
            raise StatementError(
                f"{name} is not allowed in the SQL of rules and reports (docs/user-sql.md)"
            )


def _tokens(sql: str) -> list[Token]:
    """Return all tokens except comments."""
    if "\0" in sql:
        raise StatementError("the SQL contains a NUL character; remove it")
    try:
        return [token for token in tokens(sql) if token.kind != "comment"]
    except UnfinishedError as error:
        raise StatementError(str(error)) from None


def _statements(sql_tokens: list[Token]) -> list[list[Token]]:
    """Return the tokens of each statement that is not empty."""
    statements: list[list[Token]] = [[]]
    for token in sql_tokens:
        if token.value == ";" and token.kind == "mark":
            statements.append([])
        else:
            statements[-1].append(token)
    return [statement for statement in statements if statement]


def without_semicolon(sql: str) -> str:
    """Return the statement without its last semicolons, so that it can be put into parentheses."""
    end = len(sql)
    for token in reversed(list(tokens(sql))):
        if token.kind == "mark" and token.value == ";":
            end = token.start
        elif token.kind != "comment":
            break
    return sql[:end]


def placeholders(sql: str) -> set[str]:
    """Return the names of the bound parameters (``:name``) outside texts and comments."""
    try:
        return {token.value for token in tokens(sql) if token.kind == "parameter"}
    except UnfinishedError:
        return set()  # `check` reports it


def bind(sql: str, parameters: Mapping[str, Any], connection: Any) -> str:
    """Return the statement with each ``:name`` replaced by its value as the driver quotes it.

    Raises:
        StatementError: a placeholder has no value.
    """
    if ":" not in sql:
        return sql
    parts, expected_values, end = list[str](), list[tuple[str, str]](), 0
    for token in _tokens(sql):
        if token.kind == "parameter":
            value = literal(_value_of(token.value, parameters), connection)
            parts += [
                sql[end : token.start],
                f" {value} ",
            ]  # spaces keep it apart from the tokens beside it
            expected_values += _token_values(value)
            end = token.end
        else:
            expected_values.append((token.kind, token.value))
    bound = "".join([*parts, sql[end:]])
    if _token_values(bound) != expected_values:
        raise StatementError(
            "a value next to $ or a quote changes the meaning of the SQL; add spaces"
        )
    return bound


def _value_of(name: str, parameters: Mapping[str, Any]) -> Any:
    if name not in parameters:
        raise StatementError(f"the SQL uses :{name}, but parameters has no {name}")
    return parameters[name]


def _token_values(sql: str) -> list[tuple[str, str]]:
    """Return kind and value of each token, without comments: what the server's lexer sees."""
    return [(token.kind, token.value) for token in _tokens(sql)]


def literal(value: Any, connection: Any) -> str:
    """Return a value as an SQL literal, quoted for this connection.

    Raises:
        StatementError: PostgreSQL can't represent the value.
    """
    try:
        adapted = adapt(value)
        if hasattr(adapted, "prepare"):
            adapted.prepare(connection)
        return adapted.getquoted().decode()
    except (ValueError, psycopg2.Error) as error:
        raise StatementError(f"{value!r:.60} can't be a value in SQL: {error}") from None
