"""What `analytics-worker status` says about a deployment of which no run is scheduled."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule

from analytics_worker.prefect_support.deployments import deployed_flows
from analytics_worker.stack.status_tables import NOTHING_SCHEDULED, without_runs


@pytest.mark.parametrize(
    ("minutes", "active", "paused", "text"),
    [
        (10, True, False, NOTHING_SCHEDULED),
        (1, True, False, "not yet scheduled"),
        (10, False, False, "manual"),
        (10, True, True, "paused"),
    ],
)
def test_the_reason(minutes, active, paused, text):
    entry = next(each for each in deployed_flows() if not each.deployment.triggers)
    schedule = DeploymentSchedule(schedule=CronSchedule(cron="* * * * *"), active=active)
    deployment = DeploymentResponse(
        name="d",
        flow_id=uuid4(),
        labels={},
        created=datetime.now(UTC) - timedelta(minutes=minutes),  # pyright: ignore[reportArgumentType]
        schedules=[schedule],
        paused=paused,
    )
    assert without_runs(entry, deployment) == text
