"""An index that Prefect's models declare and its SQLite databases have lost.

SQLite cannot alter a table, so Prefect's migrations make tables anew, and indexes over expressions do
not survive that. Writes one index into the database of the Prefect server; safe to repeat.
"""

from pathlib import Path

from prefect.server.database import provide_database_interface
from sqlalchemy.exc import DBAPIError

CREATE = Path(__file__).parent / "sql/newest_runs.sql"


async def restore_index() -> None:
    """Make it if it is missing; a new database gets it at the next start."""
    engine = await provide_database_interface().engine()
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(CREATE.read_text())
    except DBAPIError:
        return  # Prefect has not made its tables yet
    finally:
        await engine.dispose()
