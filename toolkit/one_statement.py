"""SQL that users wrote: exactly one statement that reads, its bound parameters, and literals.

Reads nothing, writes nothing. These checks give clear messages early; what really keeps SQL from
doing harm is the role that runs it and the cursor that it runs in (`toolkit.user_sql`).
"""

from collections.abc import Mapping
from typing import Any

import psycopg2
from psycopg2.extensions import adapt

from toolkit.errors import PermanentError
from toolkit.sql_functions import KNOWN, called, mentions, refused_functions
from toolkit.sql_tokens import Token, UnfinishedError, tokens

READING = {"select", "with", "values", "table"}


class StatementError(PermanentError):
    """The SQL is not one reading statement; says why."""


def check(sql: str) -> None:
    """Accept one SELECT (or WITH, VALUES, TABLE).

    Raises:
        StatementError: there is no statement, more than one, or it does more than read.
    """
    parts = _parts(sql)
    statements = _statements(parts)
    if not statements:
        raise StatementError("the SQL is empty; write one SELECT")
    if len(statements) > 1:
        raise StatementError(f"there are {len(statements)} statements; write one SELECT")
    first = next((token.value for token in statements[0] if token.value != "("), "")
    if first not in READING:
        raise StatementError(f"{first.upper()[:40]} is not allowed; write one SELECT")
    _refuse_calls(parts)


def refuse_functions(sql: str, pool: Any, connection: Any) -> None:
    """Refuse a statement that calls a function of the server which reaches beyond its result.

    Raises:
        StatementError: it does; names the function.
    """
    names = refused_functions(pool, connection)
    if mentions(sql, names):
        _refuse_calls(_parts(sql), names)


def _refuse_calls(parts: list[Token], names: frozenset[str] = frozenset()) -> None:
    if any(token.kind == "unicode_name" for token in parts):
        raise StatementError('U&"…" is not allowed in the SQL of rules and reports')
    for name in called(parts):
        if name in names or KNOWN.fullmatch(name):
            raise StatementError(
                f"{name} is not allowed in the SQL of rules and reports (docs/user-sql.md)"
            )


def _parts(sql: str) -> list[Token]:
    """All tokens but comments."""
    if "\0" in sql:
        raise StatementError("the SQL contains a NUL character; remove it")
    try:
        return [token for token in tokens(sql) if token.kind != "comment"]
    except UnfinishedError as error:
        raise StatementError(str(error)) from None


def _statements(parts: list[Token]) -> list[list[Token]]:
    """The tokens between semicolons, where there are any."""
    found: list[list[Token]] = [[]]
    for token in parts:
        if token.value == ";" and token.kind == "mark":
            found.append([])
        else:
            found[-1].append(token)
    return [statement for statement in found if statement]


def without_semicolon(sql: str) -> str:
    """The statement without the semicolons at its end, which can't stand in parentheses."""
    end = len(sql)
    for token in reversed(list(tokens(sql))):
        if token.kind == "mark" and token.value == ";":
            end = token.start
        elif token.kind != "comment":
            break
    return sql[:end]


def placeholders(sql: str) -> set[str]:
    """Names of the bound parameters (``:name``) of a statement, outside texts and comments."""
    try:
        return {token.value for token in tokens(sql) if token.kind == "parameter"}
    except UnfinishedError:
        return set()  # `check` says so


def bind(sql: str, parameters: Mapping[str, Any], connection: Any) -> str:
    """The statement with each ``:name`` replaced by its value as the driver quotes it.

    Raises:
        StatementError: a placeholder has no value.
    """
    if ":" not in sql:
        return sql
    parts, expected, end = list[str](), list[tuple[str, str]](), 0
    for token in _parts(sql):
        if token.kind == "parameter":
            value = literal(_value_of(token.value, parameters), connection)
            parts += [sql[end : token.start], f" {value} "]  # no word may grow together with it
            expected += _meaning(value)
            end = token.end
        else:
            expected.append((token.kind, token.value))
    bound = "".join([*parts, sql[end:]])
    if _meaning(bound) != expected:
        raise StatementError("a value next to $ or a quote changes what the SQL says; add spaces")
    return bound


def _value_of(name: str, parameters: Mapping[str, Any]) -> Any:
    if name not in parameters:
        raise StatementError(f"the SQL uses :{name}, but parameters has no {name}")
    return parameters[name]


def _meaning(sql: str) -> list[tuple[str, str]]:
    """Return kind and value of each token, without comments: what the server's lexer sees."""
    return [(token.kind, token.value) for token in _parts(sql)]


def literal(value: Any, connection: Any) -> str:
    """A value as an SQL literal, quoted for this connection.

    Raises:
        StatementError: PostgreSQL has no such value.
    """
    try:
        adapted = adapt(value)
        if hasattr(adapted, "prepare"):
            adapted.prepare(connection)
        return adapted.getquoted().decode()
    except (ValueError, psycopg2.Error) as error:
        raise StatementError(f"{value!r:.60} can't be a value in SQL: {error}") from None
