"""SQL that users wrote: exactly one statement that reads, its bound parameters, and literals.

Reads nothing, writes nothing. These checks give clear messages early; what really keeps SQL from
doing harm is the role that runs it and the cursor that it runs in (`toolkit.user_sql`).
"""

import re
from collections.abc import Mapping
from typing import Any

import sqlparse
from psycopg2.extensions import adapt
from sqlparse.sql import Statement
from sqlparse.tokens import Comment, String, Whitespace

from toolkit.errors import PermanentError

READING = {"select", "with", "values", "table"}

# Functions that a SELECT can call and that reach beyond its result: other sessions, the server's
# files, its settings, locks that outlive the statement, SQL in strings, waiting.
FORBIDDEN_FUNCTIONS = re.compile(
    r"pg_(?:terminate|cancel)_backend|pg_sleep(?:_for|_until)?|set_config|pg_reload_conf"
    r"|pg_(?:read|ls|stat)_\w*(?:file|dir)\w*|pg_(?:try_)?advisory\w*|pg_notify|pg_logical\w*"
    r"|lo_\w+|lo(?:read|write)|dblink\w*|(?:query|table|cursor|schema|database)_to_xml\w*"
    r"|pg_(?:create|drop|switch|promote|backup|wal)_\w+|pg_file_\w+|setval|nextval"
)
# Texts, quoted names and comments, in which a colon means nothing; or a placeholder.
_TOKEN = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
      | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ | --[^\n]* | /\*.*?\*/
      | (?<![:\w]):(?P<name>[A-Za-z_]\w*)""",
    re.DOTALL | re.VERBOSE,
)


class StatementError(PermanentError):
    """The SQL is not one reading statement; says why."""


def check(sql: str) -> None:
    """Accept one SELECT (or WITH, VALUES, TABLE).

    Raises:
        StatementError: there is no statement, more than one, or it does more than read.
    """
    statements = [s for s in sqlparse.parse(sql) if _words(s)]
    if not statements:
        raise StatementError("the SQL is empty; write one SELECT")
    if len(statements) > 1:
        raise StatementError(f"there are {len(statements)} statements; write one SELECT")
    words = _words(statements[0])
    first = next((word for word in words if word != "("), "")
    if first not in READING:
        raise StatementError(f"{first.upper()} is not allowed; write one SELECT")
    for word in words:
        if FORBIDDEN_FUNCTIONS.fullmatch(word):
            raise StatementError(f"{word} is not allowed in the SQL of rules and reports")
    if re.search(r"\bu&[\"']", sql, re.IGNORECASE):
        raise StatementError('U&"…" is not allowed in the SQL of rules and reports')


def _words(statement: Statement) -> list[str]:
    """Lower-case words and parentheses, without comments, literals and the last semicolon."""
    return [
        str(token.value).strip('"').lower()
        for token in statement.flatten()
        if token.ttype not in Comment
        and token.ttype not in Whitespace
        and not _is_text(token)
        and token.value != ";"
    ]


def _is_text(token: Any) -> bool:
    """Literal text; a quoted identifier is a name, and so a word."""
    return token.ttype in String and token.ttype is not String.Symbol


def placeholders(sql: str) -> set[str]:
    """Names of the bound parameters (``:name``) of a statement, outside texts and comments."""
    return {match["name"] for match in _TOKEN.finditer(sql) if match["name"]}


def bind(sql: str, parameters: Mapping[str, Any], connection: Any) -> str:
    """The statement with each ``:name`` replaced by its value as the driver quotes it.

    Raises:
        StatementError: a placeholder has no value.
    """

    def quoted(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return match[0]
        if name not in parameters:
            raise StatementError(f"the SQL uses :{name}, but parameters has no {name}")
        return literal(parameters[name], connection)

    return _TOKEN.sub(quoted, sql) if ":" in sql else sql


def literal(value: Any, connection: Any) -> str:
    """A value as an SQL literal, quoted for this connection."""
    adapted = adapt(value)
    if hasattr(adapted, "prepare"):
        adapted.prepare(connection)
    return adapted.getquoted().decode()
