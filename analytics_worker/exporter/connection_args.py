"""Build psycopg2's arguments for the analytics database, without SQLAlchemy unless a block has its URL.

Reads the settings; opens nothing. SQLAlchemy and Prefect's block for it are 24 MB that nothing else
in the exporter needs.
"""

from typing import Any

from analytics_worker.database.libpq_url import libpq_parameters
from analytics_worker.settings import settings


def connection_arguments() -> dict[str, Any] | None:
    """Return psycopg2's connection arguments; None if no database is configured."""
    if settings().database_block:
        return _arguments_of_block()
    url = settings().database_url
    return dict(libpq_parameters(url.get_secret_value())) if url else None


def _arguments_of_block() -> dict[str, Any]:
    from analytics_worker.database.urls import parameters_of, warehouse_url  # noqa: PLC0415  # see above

    return dict(parameters_of(warehouse_url()))
