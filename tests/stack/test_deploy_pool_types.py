"""`analytics-worker deploy --pool-type`: the same deployments in pools of containers, refused before anything changes."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import kubernetes_validate
import pytest
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from typer.testing import CliRunner

from analytics_worker.cli import app
from analytics_worker.deployment.deploy import DeploymentChange, deploy, desired_state
from analytics_worker.deployment.pool_types import IMAGE, IMAGE_FOLDER, PoolTypeError
from analytics_worker.settings import project_root

KINDS = ("docker", "kubernetes")
pytestmark = pytest.mark.usefixtures("prefect_api", "environment")


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    """A client of a server without pools; other tests share the server, and make their own pools again."""
    with get_client(sync_client=True) as api:
        _clear(api)
        yield api
        _clear(api)


def _clear(api: SyncPrefectClient) -> None:
    for deployment in api.read_deployments():
        api.delete_deployment(deployment.id)
    for pool in api.read_work_pools():
        api.delete_work_pool(pool.name)


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """A type whose worker is installed."""
    pytest.importorskip(f"prefect_{request.param}", reason=f"needs prefect-{request.param}")
    return request.param


def changed(changes: list[DeploymentChange]) -> set[tuple[str, str]]:
    """The kinds of objects that were changed, and how."""
    return {(each.kind, each.action) for each in changes if each.action != "unchanged"}


def job(kind: str, template: dict[str, Any], variables: dict[str, Any]) -> Any:
    """Return what a worker of that type makes of the template and the variables of a deployment."""
    if kind == "docker":
        from prefect_docker.worker import DockerWorkerJobConfiguration as Configuration  # noqa: PLC0415
    else:
        from prefect_kubernetes.worker import (  # noqa: PLC0415
            KubernetesWorkerJobConfiguration as Configuration,
        )
    return asyncio.run(Configuration.from_template_and_values(template, variables))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--pool-type", "podman"], "'podman' is not a valid pool type; expected one of process"),
        (["--pool-type", ""], "'' is not a valid pool type"),
        (["--image", "mine"], "--image is of pools of --pool-type docker or kubernetes only"),
        (["--pool-type", "process", "--image", "mine"], "--image is of pools of"),
    ],
)
def test_what_is_no_type_is_refused_before_anything_changes(
    client: SyncPrefectClient, options: list[str], text: str
):
    done = CliRunner().invoke(app, ["deploy", *options])
    assert done.exit_code == 1
    assert text in done.stderr
    assert client.read_work_pools() == []


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_pools_of_containers_have_the_same_deployments(client: SyncPrefectClient, kind: str):
    deploy(desired_state(kind), client)
    pools = client.read_work_pools()
    assert {pool.type for pool in pools} == {kind}
    assert {pool.concurrency_limit for pool in pools} == {1, 2, 4}
    deployments = client.read_deployments()
    assert len(deployments) == len(desired_state().deployments)
    folders = {str(step) for each in deployments for step in each.pull_steps or []}
    assert len(folders) == 1
    assert f"'{IMAGE_FOLDER}'" in folders.pop()
    assert changed(deploy(desired_state(), client)) == set()
    for deployment in deployments:
        made = job(kind, pools[0].base_job_template, deployment.job_variables)
        assert made.env["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"


@pytest.mark.parametrize("kind", ["docker"], indirect=True)
def test_another_image_changes_nothing_else_of_the_template(client: SyncPrefectClient, kind: str):
    deploy(desired_state(kind), client)
    before = client.read_work_pool("dbt").base_job_template
    assert before["variables"]["properties"]["image"]["default"] == IMAGE
    assert changed(deploy(desired_state(kind, "registry:5000/mine:2"), client)) == {
        ("pool", "updated")
    }
    after = client.read_work_pool("dbt").base_job_template
    assert after["variables"]["properties"]["image"].pop("default") == "registry:5000/mine:2"
    del before["variables"]["properties"]["image"]["default"]
    assert after == before


@pytest.mark.parametrize("kind", ["docker"], indirect=True)
def test_the_type_of_a_pool_is_not_changed(client: SyncPrefectClient, kind: str):
    deploy(desired_state(), client)
    before = client.read_deployments()
    with pytest.raises(PoolTypeError, match=r"prefect work-pool delete dbt"):
        deploy(desired_state(kind), client)
    assert {pool.type for pool in client.read_work_pools()} == {"process"}
    assert client.read_deployments() == before


def test_a_container_has_settings_state_and_few_rights():
    pytest.importorskip("prefect_docker", reason="needs prefect-docker")
    from analytics_worker.deployment.pool_types import docker_template  # noqa: PLC0415

    made = job("docker", docker_template("mine"), {})
    assert made.image == "mine"
    assert f"/etc/analytics-worker/environment:{IMAGE_FOLDER}/.env:ro" in made.volumes
    assert f"WORKDIR {IMAGE_FOLDER}\n" in (project_root() / "Containerfile").read_text()
    assert made.container_create_kwargs["cap_drop"] == ["ALL"]


def test_a_job_of_kubernetes_is_valid_and_has_few_rights():
    pytest.importorskip("prefect_kubernetes", reason="needs prefect-kubernetes")
    from analytics_worker.deployment.pool_types import kubernetes_template  # noqa: PLC0415

    made = job("kubernetes", kubernetes_template("mine"), {"name": "run", "env": {"A": "1"}})
    made.prepare_for_flow_run(FlowRun(flow_id=uuid4(), name="run"))
    manifest = made.job_manifest
    kubernetes_validate.validate(manifest, "1.31")
    pod = manifest["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    (container,) = pod["containers"]
    assert container["image"] == "mine"
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {"secretRef": {"name": "analytics-worker"}} in container["envFrom"]
