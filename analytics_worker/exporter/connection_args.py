"""Build psycopg2's arguments for the analytics database, without SQLAlchemy where the URL is an ordinary one.

Reads the settings; opens nothing. SQLAlchemy and Prefect's block for it are 24 MB that nothing else
in the exporter needs. They still read unusual settings (a block, several hosts).
"""

import re
from typing import Any
from urllib.parse import parse_qsl, unquote

from analytics_worker.settings import settings

_ORDINARY = re.compile(
    r"postgres(?:ql)?(?:\+\w+)?://"
    r"(?:(?P<user>[^:/@\s]*)(?::(?P<password>[^@\s]*))?@)?"
    r"(?P<host>[^:/?@\[\]\s]*)(?::(?P<port>\d+))?"
    r"(?:/(?P<dbname>[^?\s]*))?(?:\?(?P<query>\S*))?"
)


def connection_arguments() -> dict[str, Any] | None:
    """Return psycopg2's connection arguments; None if no database is configured."""
    url = settings().database_url
    ordinary = (
        None if settings().database_block or not url else ordinary_arguments(url.get_secret_value())
    )
    return ordinary or _sqlalchemys_arguments()


def ordinary_arguments(url: str) -> dict[str, Any] | None:
    """The same as SQLAlchemy makes of the URL; None for one that only SQLAlchemy should read."""
    found = _ORDINARY.fullmatch(url)
    if found is None:
        return None
    parts = {key: value for key, value in found.groupdict().items() if value}
    pairs = parse_qsl(parts.pop("query", ""))
    query = dict(pairs)
    socket = query.get("host", "/").startswith("/") and not ("host" in query and "host" in parts)
    if len(query) < len(pairs) or not socket or "port" in query:
        return None
    decoded = {key: unquote(parts[key]) for key in ("user", "password") if key in parts}
    return parts | decoded | query


def _sqlalchemys_arguments() -> dict[str, Any] | None:
    from analytics_worker.database.connections import MissingDatabaseError, warehouse_url  # noqa: PLC0415  # see above

    try:
        url = warehouse_url()
    except MissingDatabaseError:
        return None
    return dict(url.get_dialect()().create_connect_args(url)[1])
