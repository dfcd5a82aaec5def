"""What runs in the user's stack: flows as runs of their deployments, in the order in which their schedules have them."""

from collections.abc import Callable, Mapping
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.flow_engine import run_flow
from prefect.states import Pending

from flows.alerts import process_pending_alerts
from flows.analytics import refresh_catalog, refresh_materialized_views
from flows.dbt import dbt_build, dbt_freshness_check
from flows.monitoring import collect_worker_metrics
from flows.reports import generate_due_reports

FLOWS: Mapping[str, Any] = {
    "refresh-catalog/analytics": refresh_catalog,
    "refresh-materialized-views/analytics": refresh_materialized_views,
    "dbt-build/dbt": dbt_build,
    "dbt-freshness-check/dbt": dbt_freshness_check,
    "process-pending-alerts/alerts": process_pending_alerts,
    "generate-due-reports/reports": generate_due_reports,
    "collect-worker-metrics/monitoring": collect_worker_metrics,
}
CATALOG, VIEWS, DBT, FRESHNESS, RULES, REPORTS, MONITORING = FLOWS
ROUTINE: Mapping[str, tuple[str, ...]] = {
    "catalog": (CATALOG,),
    "dbt": (CATALOG, DBT, VIEWS, CATALOG, RULES),
    "build": (CATALOG, DBT, VIEWS, CATALOG, RULES, MONITORING),
    "freshness": (FRESHNESS,),
    "refresh": (VIEWS, MONITORING),
    "watch": (CATALOG, RULES, REPORTS, MONITORING),
}
"""The deployments that run, by the words of the story."""


class Routine:
    """Runs deployments in this process, as a worker does in a fork."""

    def __init__(self, client: SyncPrefectClient, log: Callable[[str], None]) -> None:
        """Run what the client has deployed."""
        self._client, self._log = client, log

    def run(self, name: str) -> None:
        """Run a deployment to its end, in any state."""
        deployment = self._client.read_deployment_by_name(name)
        created = self._client.create_flow_run_from_deployment(deployment.id)
        self._client.set_flow_run_state(created.id, Pending())
        flow_run = self._client.read_flow_run(created.id)
        ended: Any = run_flow(FLOWS[name], flow_run=flow_run, return_type="state")
        self._log(f"{name}: {ended.name} {ended.message}")
