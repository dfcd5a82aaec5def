"""The analytics database as a Prefect block, for people who look for it in the UI.

Writes the block ``warehouse`` (SQLAlchemy Connector). Safe to repeat: an equal block is left alone.
Anyone who reaches an API without authentication can read every block's secrets, so the password is
stored only where the server asks for one itself.
"""

from typing import Any, Literal

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector, SyncDriver
from sqlalchemy.engine import URL

NAME = "warehouse"


def is_protected() -> bool:
    """Whether the API asks for authentication, as far as this process is configured for it."""
    current = get_current_settings()
    return bool(current.api.auth_string or current.api.key or current.server.api.auth_string)


def block(url: URL, *, with_password: bool) -> SqlAlchemyConnector:
    """The block for a URL."""
    components = ConnectionComponents(
        driver=SyncDriver.POSTGRESQL_PSYCOPG2,
        database=url.database or "",
        username=url.username,
        password=url.password if with_password else None,  # pyright: ignore[reportArgumentType]  # pydantic makes the secret
        host=url.host,
        port=url.port,
        query={key: str(value) for key, value in url.query.items()} or None,
    )
    return SqlAlchemyConnector(connection_info=components)


def register(url: URL, client: SyncPrefectClient) -> Literal["created", "updated", "unchanged"]:
    """Bring the block in step with the URL."""
    wanted = block(url, with_password=is_protected())
    stored = _stored(client)
    if stored == _plain(wanted):
        return "unchanged"
    wanted.save(NAME, overwrite=True)
    return "updated" if stored is not None else "created"


def _stored(client: SyncPrefectClient) -> dict[str, Any] | None:
    try:
        document = client.read_block_document_by_name(NAME, "sqlalchemy-connector")
    except ObjectNotFound:
        return None
    return _plain(SqlAlchemyConnector.model_validate(document.data))


def _plain(connector: SqlAlchemyConnector) -> dict[str, Any]:
    """What two blocks are compared by."""
    dumped = connector.model_dump(mode="json", context={"include_secrets": True})
    return dict(dumped["connection_info"])
