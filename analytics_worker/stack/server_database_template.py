"""An empty database of the Prefect server, migrated in advance: ``python -m analytics_worker.stack.server_database_template``.

Prefect's migrations on SQLite and the registration of its block types take twelve CPU seconds. They
are done once per environment; every new PREFECT_HOME starts from a copy. Writes one file below
``sys.prefix``. Safe to repeat: the file is replaced as a whole; without it a server migrates itself.
"""

import os
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

# The copy has the block types; finding out again imports every integration, dbt included. It is
# migrated, too; finding that out again loads Alembic, which stays: 9 MB.
SKIP_PREPARATION = {
    "PREFECT_API_DATABASE_MIGRATE_ON_START": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
}

# Variables that put the server's database somewhere else.
DATABASE_VARIABLES = re.compile(
    r"PREFECT_HOME|PREFECT_(API|SERVER)_DATABASE_(CONNECTION_URL|DRIVER|HOST|NAME)"
)


def template() -> Path:
    """Return the path of the database for this environment's version of Prefect."""
    return Path(sys.prefix) / f"share/analytics-worker/prefect-{version('prefect')}.db"


def start_from_template(home: Path, variables: Mapping[str, str]) -> bool:
    """Give a new PREFECT_HOME its database; whether its server has nothing left to prepare."""
    if any(DATABASE_VARIABLES.fullmatch(name) for name in variables) or not template().exists():
        return False
    database = home / "prefect.db"
    if not database.exists():
        unfinished = database.with_suffix(".new")
        shutil.copyfile(template(), unfinished)
        unfinished.replace(database)
    return _revision(database) == _revision(template())


def _revision(database: Path) -> str | None:
    """Return the revision of a database; None after an interrupted migration."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return connection.execute("select version_num from alembic_version").fetchone()[0]
    except (sqlite3.Error, TypeError):
        return None


def make() -> None:
    """Migrate an empty database, register Prefect's blocks in it, and keep it."""
    with tempfile.TemporaryDirectory() as home:
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            del os.environ[name]
        os.environ["PREFECT_HOME"] = home
        _prepare()
        template().parent.mkdir(parents=True, exist_ok=True)
        unfinished = template().with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        with sqlite3.connect(Path(home) / "prefect.db") as database:
            database.execute("vacuum into ?", (str(unfinished),))
        unfinished.replace(template())


def _prepare() -> None:
    """Migrate the database as Prefect's server does at its start."""
    import asyncio  # noqa: PLC0415  # everything below is Prefect's and reads the environment

    from prefect.server.database import provide_database_interface  # noqa: PLC0415
    from prefect.server.models.block_registration import (  # noqa: PLC0415
        run_block_auto_registration,
    )

    async def prepare() -> None:
        database = provide_database_interface()
        await database.create_db()
        async with await database.session() as session:
            await run_block_auto_registration(session=session)

    asyncio.run(prepare())


if __name__ == "__main__":
    make()
