"""Define the analytics database as a Prefect block, for use in the UI.

Writes the block ``warehouse`` (SQLAlchemy Connector). Safe to repeat: an equal block stays unchanged. Anyone
who reaches an API without authentication can read the secrets of every block, so the password is stored only
on a server that requires a login.
"""

from typing import Any, Literal

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector, SyncDriver
from sqlalchemy.engine import URL

NAME = "warehouse"


def is_protected() -> bool:
    """Whether the API requires authentication, according to the settings of this process."""
    current = get_current_settings()
    return bool(current.api.auth_string or current.api.key or current.server.api.auth_string)


def block(url: URL, *, with_password: bool) -> SqlAlchemyConnector:
    """Return the block for a URL."""
    components = ConnectionComponents(
        driver=SyncDriver.POSTGRESQL_PSYCOPG2,
        database=url.database or "",
        username=url.username,
        password=url.password if with_password else None,  # pyright: ignore[reportArgumentType]  # pydantic converts it to a secret
        host=url.host,
        port=url.port,
        query={key: str(value) for key, value in url.query.items()} or None,
    )
    return SqlAlchemyConnector(connection_info=components)


def register(url: URL, client: SyncPrefectClient) -> Literal["created", "updated", "unchanged"]:
    """Update the block to match the URL."""
    desired = block(url, with_password=is_protected())
    stored = _stored(client)
    if stored == _plain(desired):
        return "unchanged"
    desired.save(NAME, overwrite=True)
    return "updated" if stored is not None else "created"


def _stored(client: SyncPrefectClient) -> dict[str, Any] | None:
    try:
        document = client.read_block_document_by_name(NAME, "sqlalchemy-connector")
    except ObjectNotFound:
        return None
    return _plain(SqlAlchemyConnector.model_validate(document.data))


def _plain(connector: SqlAlchemyConnector) -> dict[str, Any]:
    """Return the fields by which blocks are compared."""
    dumped = connector.model_dump(mode="json", context={"include_secrets": True})
    return dict(dumped["connection_info"])
