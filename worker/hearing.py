"""After the server was away, give the runs in progress the time to be heard again.

Writes the deadlines of the automation that ends silent runs (toolkit/heartbeats.py): its server counts
the time in which it was away itself as silence, and would end runs that are alive. Safe to repeat: a
deadline is only ever put off.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from prefect.server.database import provide_database_interface
from sqlalchemy.exc import DBAPIError

from toolkit.heartbeats import AUTOMATION, SILENCE


async def put_off_silence() -> None:
    """Put off the deadlines that are over, or nearly; a new database has none."""
    database = provide_database_interface()
    engine = await database.engine()
    bucket, automation = database.AutomationBucket, database.Automation
    soonest = datetime.now(UTC) + SILENCE
    ours = sa.select(automation.id).where(automation.name == AUTOMATION)
    statement = (
        sa.update(bucket)
        .where(bucket.automation_id.in_(ours), bucket.end < soonest)
        .values(end=soonest)
        .execution_options(synchronize_session=False)
    )
    try:
        async with database.session_context(begin_transaction=True) as session:
            await session.execute(statement)
    except DBAPIError:
        return  # Prefect has not made its tables yet
    finally:
        await engine.dispose()
