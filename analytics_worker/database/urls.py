"""Resolve the URLs of the analytics database, for its owner and its readers.

Reads the settings, or the Prefect block that they name; writes nothing and opens nothing.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import cast

from prefect_sqlalchemy import SqlAlchemyConnector
from sqlalchemy.engine import URL

from analytics_worker.database.libpq_environment import complete
from analytics_worker.database.libpq_url import (
    DRIVERS,
    EXPECTED,
    DatabaseUrlError,
    host_lists,
    is_socket,
    libpq_parameters,
)
from analytics_worker.definitions.validation_messages import did_you_mean
from analytics_worker.errors import ConfigurationError, PermanentError
from analytics_worker.settings import settings

READER_ROLE = "analytics_reader"
DRIVER = "postgresql+psycopg2"
MAX_NAME_BYTES = 63
_PARTS = frozenset({"user", "password", "host", "port", "dbname"})


class MissingDatabaseError(ConfigurationError):
    """No database is configured and none is running."""


def parse_url(url: str | URL, variable: str = "DATABASE_URL") -> URL:
    """Return the URL with psycopg2 as its driver, for every spelling that psql or SQLAlchemy accepts.

    Every parameter of libpq is kept; user, password and database name are never in the query.

    Raises:
        DatabaseUrlError: it is not a valid PostgreSQL URL; the message never repeats it.
    """
    if isinstance(url, str):
        return url_of(libpq_parameters(url, variable))
    if url.get_backend_name() not in DRIVERS:
        raise DatabaseUrlError(f"{variable} has the driver {url.drivername!r}; {EXPECTED}")
    return url_of(parameters_of(url.set(drivername=DRIVER)))


def url_of(parameters: Mapping[str, str]) -> URL:
    """Return the URL with these parameters of libpq."""
    hosts, ports = host_lists(parameters)
    single = len(hosts) == 1
    by_name = single and not is_socket(hosts[0])  # others are parameters of SQLAlchemy's URL
    query = {name: value for name, value in parameters.items() if name not in _PARTS}
    query |= {} if by_name else {"host": ",".join(hosts)}
    query |= {"port": ",".join(ports)} if any(ports) and not single else {}
    return URL.create(
        DRIVER,
        username=parameters.get("user"),
        password=parameters.get("password"),
        host=(hosts[0] or None) if by_name else None,
        port=int(ports[0]) if single and ports[0] else None,
        database=parameters.get("dbname"),
        query=query,
    )


def parameters_of(url: URL) -> dict[str, str]:
    """Return libpq's parameters of a URL."""
    arguments = url.get_dialect()().create_connect_args(url)[1]
    known = {name: str(value) for name, value in arguments.items()}
    return {name: value for name, value in known.items() if name != "port" or value.strip(",")}


def warehouse_url() -> URL:
    """Return the URL of the analytics database, from the block or the variable of the settings.

    Raises:
        MissingDatabaseError: neither is set and no stack is running.
    """
    if settings().database_block:
        block = cast(
            "SqlAlchemyConnector", SqlAlchemyConnector.load(settings().database_block or "")
        )
        return parse_url(block._rendered_url)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # no public way to it
    url = settings().database_url
    if url is None:
        raise MissingDatabaseError(
            "No database: set DATABASE_URL, or run `make up`, which starts its own PostgreSQL."
        )
    return parse_url(url.get_secret_value())


def direct_url() -> URL:
    """Return the URL for sessions that hold locks or settings, past a connection pooler in transaction mode.

    Raises:
        MissingDatabaseError: no database is configured.
    """
    explicit = settings().database_direct_url
    if explicit is None:
        return warehouse_url()
    return parse_url(explicit.get_secret_value(), "DATABASE_DIRECT_URL")


def reader_url(name: str | None = None) -> URL:
    """Return the URL of a SELECT-only role: the default reader, or one of READER_DATABASE_URLS.

    The password of the default reader is derived from the owner's (HMAC-SHA256), so there is no second
    secret to keep. READER_DATABASE_URL overrides it.

    Raises:
        PermanentError: no reader of that name is configured.
    """
    if name is not None:
        return _for_reader(parse_url(_named_reader(name), f"READER_DATABASE_URLS ({name})"))
    if explicit := settings().reader_database_url:
        return _for_reader(parse_url(explicit.get_secret_value(), "READER_DATABASE_URL"))
    return derived_reader(direct_url())


def _for_reader(url: URL) -> URL:
    """Return the URL for a role whose sessions are read only by default: libpq finds none "read-write"."""
    if url.query.get("target_session_attrs") != "read-write":
        return url
    return url.update_query_dict({"target_session_attrs": "primary"})


def derived_reader(owner: URL) -> URL:
    """Return the URL of the default reader of a database, whose name and password come from its owner's URL."""
    role = reader_role(owner)
    return _for_reader(owner.set(username=role, password=reader_password(owner.password, role)))


def reader_role(owner: URL) -> str:
    """Return the name of the default reader: roles belong to the server, so each database has its own."""
    if explicit := settings().reader_role:
        return explicit
    database = complete(parameters_of(owner))["dbname"]
    if database == READER_ROLE.partition("_")[0]:  # of the embedded PostgreSQL
        return READER_ROLE
    name = f"{READER_ROLE}_{database}"
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    digest = hashlib.sha256(database.encode()).hexdigest()[:8]
    start = name.encode()[: MAX_NAME_BYTES - len(digest) - 1].decode(errors="ignore")
    return f"{start}_{digest}"


def _named_reader(name: str) -> str:
    known = settings().reader_database_urls
    if name not in known:
        raise PermanentError(
            f"no reader {name!r} found{did_you_mean(name, known)} (READER_DATABASE_URLS)"
        )
    return known[name].get_secret_value()


def reader_password(owner_password: str | None, role: str = READER_ROLE) -> str | None:
    """Return the derived password, or None if the owner has none (trust, peer, .pgpass)."""
    if not owner_password:
        return None
    return hmac.new(owner_password.encode(), role.encode(), hashlib.sha256).hexdigest()


def quoted_name(name: str) -> str:
    """Return a name as SQL in a message quotes it."""
    return '"{}"'.format(name.replace('"', '""'))
