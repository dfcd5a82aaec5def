"""Put the server's error about a user's statement into one line.

Reads nothing, writes nothing.
"""

import re

import psycopg2
from psycopg2 import errorcodes

MAX_LENGTH = 2000
GRANTS = "`analytics-worker migrate` grants what ANALYTICS_SCHEMAS names, or says who has to"
_RELATION = re.compile(r"permission denied for (schema|(materialized |foreign )?(table|view))\b")


def server_message(error: psycopg2.Error) -> str:
    """Return the server's message in one line, with the line of the user's SQL and the hint."""
    diagnosis = error.diag
    message = " ".join(_text(error)[:MAX_LENGTH].split())
    position, query = diagnosis.internal_position, diagnosis.internal_query
    if position and query:
        line = query[: int(position)].count("\n") + 1
        message += f" (line {line} of the SQL)"
    hint = diagnosis.message_hint
    if error.pgcode == errorcodes.INSUFFICIENT_PRIVILEGE and _RELATION.match(message):
        hint = GRANTS
    return f"{message}. {' '.join(hint.split())}" if hint else message


def _text(error: psycopg2.Error) -> str:
    if not error.diag.message_primary and error.pgcode:  # libpq had no memory for it
        return f"the server's message is too long to be read (SQLSTATE {error.pgcode})"
    return error.diag.message_primary or str(error)
