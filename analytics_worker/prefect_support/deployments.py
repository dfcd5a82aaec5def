"""List the deployments of ``prefect.yaml``, with their flows, work pools and schedules.

Reads prefect.yaml with a strict model, because Prefect ignores unknown keys: a deployment with
``shedules:`` would never run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from prefect.flows import load_flow_from_entrypoint
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveInt,
    ValidationError,
)

from analytics_worker.definitions.validation_messages import did_you_mean
from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.flow import WorkerFlow
from analytics_worker.prefect_support.schedules import Schedule
from analytics_worker.settings import project_root


class PrefectYamlError(PermanentError):
    """prefect.yaml is not valid; the message says where and why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConcurrencyLimit(_Strict):
    """How many runs of one deployment may overlap, and whether others wait or are cancelled."""

    limit: PositiveInt
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"]


class PoolReference(_Strict):
    """The work pool of a deployment, with the job variables of its runs."""

    name: str
    job_variables: dict[str, Any] = {}


class Pool(_Strict):
    """A work pool: a queue with a limit of concurrent runs, over all its workers."""

    name: str
    concurrency_limit: PositiveInt
    description: str
    type: Literal["process"] = "process"


class Trigger(_Strict):
    """An event that starts a run, with the parameters that the run takes from its payload."""

    name: str
    """Of the automation; it begins with "analytics-worker: "."""
    type: Literal["event"] = "event"
    expect: Annotated[list[str], Field(min_length=1)]
    match: dict[str, str | list[str]] = {}
    match_related: dict[str, str | list[str]] = {}
    posture: Literal["Reactive"] = "Reactive"
    threshold: PositiveInt = 1
    within: NonNegativeFloat = 0
    parameters: dict[str, Any] = {}
    enabled: bool = True
    description: str


class Deployment(_Strict):
    """One deployment as prefect.yaml defines it."""

    name: str
    entrypoint: str
    description: str
    work_pool: PoolReference
    concurrency_limit: ConcurrencyLimit | None = None
    enforce_parameter_schema: bool = True
    """Whether the API refuses runs whose parameters do not fit the schema."""
    schedules: list[Schedule] = []
    triggers: list[Trigger] = []
    parameters: dict[str, Any] = {}
    tags: list[str] = []

    @property
    def flow_name(self) -> str:
        """Return ``refresh-catalog`` for ``flows.analytics.catalog.refresh_catalog``."""
        return self.entrypoint.rsplit(".", 1)[-1].replace("_", "-")

    @property
    def full_name(self) -> str:
        """Return ``<flow>/<pool>``, as `prefect deployment run` takes it."""
        return f"{self.flow_name}/{self.name}"

    @property
    def domain(self) -> str:
        """Return the folder below flows/."""
        return self.entrypoint.split(".")[1]


class Definitions(_Strict):
    """Anchors that deployments refer to; Prefect does not read ``pools``."""

    pools: list[Pool]
    no_overlap: ConcurrencyLimit
    heartbeat: dict[str, Any]
    timezone: str


class ProjectFile(BaseModel):
    """The content of prefect.yaml."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-")
    )

    name: str
    prefect_version: str
    definitions: Definitions
    deployments: list[Deployment]


@dataclass(frozen=True)
class DeployedFlow:
    """A deployment and its flow."""

    deployment: Deployment

    def __str__(self) -> str:
        return self.deployment.full_name

    @cached_property
    def flow(self) -> WorkerFlow[..., Any]:
        """Import the flow on demand: one that can't be imported does not affect the others."""
        flow = load_flow_from_entrypoint(self.deployment.entrypoint, use_placeholder_flow=False)
        if not isinstance(flow, WorkerFlow):
            raise PrefectYamlError(
                f"{self.deployment.entrypoint}: decorate it with analytics_worker.prefect_support.flow.flow"
            )
        return flow


def prefect_yaml() -> Path:
    """Return the path of prefect.yaml."""
    return project_root() / "prefect.yaml"


def read(path: Path) -> ProjectFile:
    """Return the validated content of a prefect.yaml.

    Raises:
        PrefectYamlError: it is missing, is not valid YAML, or has an unknown key or an invalid value.
    """
    try:
        content = ProjectFile.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise PrefectYamlError(f"{path} can't be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise PrefectYamlError(f"{path} is not valid YAML: {error}") from error
    except ValidationError as error:
        raise PrefectYamlError(f"{path} is not valid:\n{_explain(error)}") from error
    _check_references(path, content)
    return content


def _explain(error: ValidationError) -> str:
    messages = {"extra_forbidden": "unknown key"}
    return "\n".join(
        f"  {'.'.join(map(str, item['loc']))}: {messages.get(item['type'], item['msg'])}"
        for item in error.errors()
    )


def _check_references(path: Path, content: ProjectFile) -> None:
    names_of_pools = [pool.name for pool in content.definitions.pools]
    for deployment in content.deployments:
        if deployment.work_pool.name not in names_of_pools:
            raise PrefectYamlError(
                f"{path}: {deployment.full_name} runs on pool {deployment.work_pool.name!r};"
                f" definitions.pools has {', '.join(names_of_pools)}"
            )
    names = [deployment.full_name for deployment in content.deployments]
    duplicates = {name for name in names if names.count(name) > 1}
    if duplicates:
        raise PrefectYamlError(f"{path}: duplicate deployments: {', '.join(sorted(duplicates))}")


@lru_cache
def project() -> ProjectFile:
    """Return the content of this project's prefect.yaml, read once."""
    return read(prefect_yaml())


@lru_cache
def deployed_flows() -> tuple[DeployedFlow, ...]:
    """Return every deployed flow, in the order of prefect.yaml."""
    return tuple(DeployedFlow(deployment) for deployment in project().deployments)


def pools() -> Sequence[Pool]:
    """Return the work pools."""
    return project().definitions.pools


def deployment_name(flow_name: str) -> str:
    """Return ``refresh-catalog/analytics`` for ``refresh-catalog`` or for the full name.

    Raises:
        PrefectYamlError: no deployment runs that flow; the message lists the deployments.
    """
    names = [entry.deployment.full_name for entry in deployed_flows()]
    for name in names:
        if flow_name in {name, name.split("/")[0]}:
            return name
    raise PrefectYamlError(f"no deployment of {flow_name!r} found{suggested_deployment(flow_name)}")


def suggested_deployment(name: str) -> str:
    """Return ``; did you mean 'x'?`` for a name that is none; empty for a deployment of prefect.yaml."""
    names = [entry.deployment.full_name for entry in deployed_flows()]
    wanted = name.replace("_", "-")  # as the function is called
    if name in names:
        return ""
    flows = {full.split("/")[0]: full for full in names}
    full = flows.get(wanted.split("/")[0])
    return f"; did you mean {full!r}?" if full else did_you_mean(wanted, names)
