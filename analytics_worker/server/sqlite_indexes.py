"""Indexes that a Prefect server's SQLite database needs when its history is long.

One of them Prefect's models declare, and its SQLite databases have lost: SQLite cannot alter a table, so
Prefect's migrations make tables anew, and indexes over expressions do not survive that. Writes into the
database of the Prefect server, whose tables it has Prefect make first; safe to repeat.
"""

from pathlib import Path

from prefect.server.database import provide_database_interface
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

CREATE = (Path(__file__).parent / "sql/indexes.sql").read_text().split(";")


async def create_indexes() -> None:
    """Make those that are missing."""
    database = provide_database_interface()
    engine = await database.engine()
    try:
        try:
            await _create(engine)
        except DBAPIError:  # there are no tables yet
            await database.create_db()
            await _create(engine)
    finally:
        await engine.dispose()


async def _create(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        for statement in filter(str.strip, CREATE):
            await connection.exec_driver_sql(statement)
