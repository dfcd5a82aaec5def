"""Extend heartbeat deadlines after server downtime, so that live runs are not marked crashed.

Writes the deadlines of the automations that react to missing heartbeats (analytics_worker/prefect_support/heartbeat_timeout.py): the server counts
its own downtime as missing heartbeats, and would end runs that are alive. Safe to repeat: a
deadline is only extended.
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from prefect.server.database import PrefectDBInterface, provide_database_interface
from sqlalchemy.exc import DBAPIError

from analytics_worker.prefect_support.heartbeat_timeout import (
    HEARTBEAT_AUTOMATION,
    HEARTBEAT_TIMEOUT,
    MONITORING_AUTOMATION,
    MONITORING_TIMEOUT,
)


async def extend_heartbeat_deadlines() -> None:
    """Extend the deadlines that have passed, or nearly; a new database has none."""
    database = provide_database_interface()
    engine = await database.engine()
    waits = {HEARTBEAT_AUTOMATION: HEARTBEAT_TIMEOUT, MONITORING_AUTOMATION: MONITORING_TIMEOUT}
    statements = [_extended_deadlines(database, name, wait) for name, wait in waits.items()]
    try:
        async with database.session_context(begin_transaction=True) as session:
            for statement in statements:
                await session.execute(statement)
    except DBAPIError:
        return  # Prefect has not made its tables yet
    finally:
        await engine.dispose()


def _extended_deadlines(database: PrefectDBInterface, name: str, wait: timedelta) -> sa.Update:
    bucket, automation = database.AutomationBucket, database.Automation
    soonest = datetime.now(UTC) + wait
    ours = sa.select(automation.id).where(automation.name == name)
    return (
        sa.update(bucket)
        .where(bucket.automation_id.in_(ours), bucket.end < soonest)
        .values(end=soonest)
        .execution_options(synchronize_session=False)
    )
