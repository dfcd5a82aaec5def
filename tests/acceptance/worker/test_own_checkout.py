"""A real worker runs what another host deployed from its own checkout, and names another version."""

from uuid import UUID

from analytics_worker.source_version import source_version
from tests.support.case_runs import Workspace
from tests.support.wait_until import wait_until

STEP = "prefect.deployments.steps.set_working_directory"
OLD = "0.0.1+000000000000"


def deployed_elsewhere(pool: Workspace, version: str) -> UUID:
    """Deploy a flow of this project as a host does that has its checkout in another folder."""
    return pool.client.create_deployment(
        pool.client.create_flow_from_name("refresh-catalog"),
        name=f"{pool.pool}-{version}",
        entrypoint="flows.analytics.catalog.refresh_catalog",
        version=version,
        work_pool_name=pool.pool,
        pull_steps=[{STEP: {"directory": "/srv/another-host/checkout"}}],
    )


def run(pool: Workspace, version: str) -> UUID:
    deployment = deployed_elsewhere(pool, version)
    return pool.client.create_flow_run_from_deployment(deployment).id


def test_a_flow_deployed_elsewhere_runs_from_the_own_checkout(pool, start_worker, database_url):
    start_worker(DATABASE_URL=database_url)
    same, old = run(pool, source_version()), run(pool, OLD)
    assert [pool.wait(one).name for one in (same, old)] == ["Skipped", "Skipped"]  # no relations
    note = f"The deployment was made from version {OLD}; this worker has version"
    wait_until(lambda: any(note in line for line in pool.messages(old)), timeout=20)
    assert not any("was made from" in line for line in pool.messages(same))


def test_strict_versions_refuse_another_one(pool, start_worker, database_url):
    start_worker("--strict-version", DATABASE_URL=database_url)
    same, old = run(pool, source_version()), run(pool, OLD)
    assert pool.wait(same).name == "Skipped"
    state = pool.wait(old)
    assert state.name == "Failed"
    assert f"Refused: the deployment was made from version {OLD}" in str(state.message)
