"""Resolve the URLs of the analytics database, for its owner and its readers.

Reads the settings, or the Prefect block that they name; writes nothing and opens nothing.
"""

import hashlib
import hmac
from typing import cast

from prefect_sqlalchemy import SqlAlchemyConnector
from sqlalchemy.engine import URL, make_url

from analytics_worker.definitions.validation_messages import did_you_mean
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings

READER_ROLE = "analytics_reader"


class MissingDatabaseError(PermanentError):
    """No database is configured and none is running."""


def parse_url(url: str) -> URL:
    """Return the URL with psycopg2 as its driver, for every spelling of ``postgresql://``.

    Raises:
        PermanentError: it is not a valid PostgreSQL URL; the message never repeats it.
    """
    try:
        parsed = make_url(url)
    except Exception as error:
        raise PermanentError(
            "DATABASE_URL is not a valid URL; expected postgresql://user:password@host:5432/database"
        ) from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise PermanentError(
            f"DATABASE_URL has the driver {parsed.drivername!r}; expected"
            " postgresql://user:password@host:5432/database"
        )
    return parsed.set(drivername="postgresql+psycopg2")


def warehouse_url() -> URL:
    """Return the URL of the analytics database, from the block or the variable of the settings.

    Raises:
        MissingDatabaseError: neither is set and no stack is running.
    """
    if settings().database_block:
        block = cast(
            "SqlAlchemyConnector", SqlAlchemyConnector.load(settings().database_block or "")
        )
        return parse_url(block._rendered_url.render_as_string(hide_password=False))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # no public way to it
    url = settings().database_url
    if url is None:
        raise MissingDatabaseError(
            "No database: set DATABASE_URL, or run `make up`, which starts its own PostgreSQL."
        )
    return parse_url(url.get_secret_value())


def reader_url(name: str | None = None) -> URL:
    """Return the URL of a SELECT-only role: the default reader, or one of READER_DATABASE_URLS.

    The password of the default reader is derived from the owner's (HMAC-SHA256), so there is no second
    secret to keep. READER_DATABASE_URL overrides it.

    Raises:
        PermanentError: no reader of that name is configured.
    """
    if name is not None:
        return parse_url(_named_reader(name))
    explicit = settings().reader_database_url
    if explicit is not None:
        return parse_url(explicit.get_secret_value())
    owner = warehouse_url()
    return owner.set(username=READER_ROLE, password=reader_password(owner.password))


def _named_reader(name: str) -> str:
    known = settings().reader_database_urls
    if name not in known:
        raise PermanentError(
            f"no reader {name!r} found{did_you_mean(name, known)} (READER_DATABASE_URLS)"
        )
    return known[name].get_secret_value()


def reader_password(owner_password: str | None) -> str | None:
    """Return the derived password, or None if the owner has none (trust, peer, .pgpass)."""
    if not owner_password:
        return None
    return hmac.new(owner_password.encode(), READER_ROLE.encode(), hashlib.sha256).hexdigest()
