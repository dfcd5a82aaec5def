"""The project's table of contents, derived: ``prefect.yaml`` says when and where, the flow says how.

Reads prefect.yaml with a strict model, because Prefect ignores keys that it does not know:
``shedules:`` would deploy fine and never run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from prefect.client.schemas.schedules import CronSchedule
from prefect.flows import load_flow_from_entrypoint
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveInt,
    ValidationError,
)

from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.flow import WorkerFlow
from analytics_worker.settings import project_root


class CatalogueError(PermanentError):
    """prefect.yaml can't be used; says where and why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is no IANA time zone, such as Europe/Paris or UTC") from error
    return name


def _valid_cron(cron: str) -> str:
    CronSchedule(cron=cron, timezone="UTC")
    return cron


class Schedule(_Strict):
    """When a deployment runs, and with which parameters."""

    cron: Annotated[str, AfterValidator(_valid_cron)]
    timezone: Annotated[str, AfterValidator(_known_timezone)]
    slug: str
    active: bool = True
    parameters: dict[str, Any] = {}


class ConcurrencyLimit(_Strict):
    """How many runs of one deployment may overlap, and what becomes of the others."""

    limit: PositiveInt
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"]


class PoolReference(_Strict):
    """The pool that a deployment's runs queue in, and what its workers give to each of them."""

    name: str
    job_variables: dict[str, Any] = {}


class Pool(_Strict):
    """A work pool: a queue with a limit on the runs at the same time, over all its workers."""

    name: str
    concurrency_limit: PositiveInt
    description: str
    type: Literal["process"] = "process"


class Trigger(_Strict):
    """An event that starts the deployment, and the parameters that its payload gives the run."""

    type: Literal["event"] = "event"
    expect: Annotated[list[str], Field(min_length=1)]
    match: dict[str, str | list[str]] = {}
    match_related: dict[str, str | list[str]] = {}
    posture: Literal["Reactive"] = "Reactive"
    threshold: PositiveInt = 1
    within: NonNegativeFloat = 0
    parameters: dict[str, Any] = {}
    enabled: bool = True
    description: str = ""


class Deployment(_Strict):
    """One stanza of prefect.yaml."""

    name: str
    entrypoint: str
    description: str
    work_pool: PoolReference
    concurrency_limit: ConcurrencyLimit | None = None
    schedules: list[Schedule] = []
    triggers: list[Trigger] = []
    parameters: dict[str, Any] = {}
    tags: list[str] = []

    @property
    def flow_name(self) -> str:
        """``refresh-catalog`` for ``flows.analytics.catalog.refresh_catalog``."""
        return self.entrypoint.rsplit(".", 1)[-1].replace("_", "-")

    @property
    def full_name(self) -> str:
        """``<flow>/<pool>``, as `prefect deployment run` takes it."""
        return f"{self.flow_name}/{self.name}"

    @property
    def domain(self) -> str:
        """Folder below flows/."""
        return self.entrypoint.split(".")[1]


class Definitions(_Strict):
    """Anchors that the stanzas use; the pools are ours, Prefect does not read them."""

    pools: list[Pool]
    no_overlap: ConcurrencyLimit
    heartbeat: dict[str, Any]
    timezone: str


class ProjectFile(BaseModel):
    """All of prefect.yaml."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-")
    )

    name: str
    prefect_version: str
    definitions: Definitions
    deployments: list[Deployment]


@dataclass(frozen=True)
class Entry:
    """A flow and how it is deployed."""

    deployment: Deployment

    def __str__(self) -> str:
        return self.deployment.full_name

    @cached_property
    def flow(self) -> WorkerFlow[..., Any]:
        """Imported on demand: a flow that does not import fails its own row, not the table."""
        loaded = load_flow_from_entrypoint(self.deployment.entrypoint, use_placeholder_flow=False)
        if not isinstance(loaded, WorkerFlow):
            raise CatalogueError(
                f"{self.deployment.entrypoint}: decorate it with analytics_worker.prefect_support.flow.flow"
            )
        return loaded


def prefect_yaml() -> Path:
    """Path of the file that owns the schedule."""
    return project_root() / "prefect.yaml"


def read(path: Path) -> ProjectFile:
    """The checked content of a prefect.yaml.

    Raises:
        CatalogueError: it is missing, is no YAML, or has a key or value that does not belong.
    """
    try:
        content = ProjectFile.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise CatalogueError(f"{path} can't be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise CatalogueError(f"{path} is no valid YAML: {error}") from error
    except ValidationError as error:
        raise CatalogueError(f"{path} is refused:\n{_explain(error)}") from error
    _check_references(path, content)
    return content


def _explain(error: ValidationError) -> str:
    reasons = {"extra_forbidden": "unknown key"}
    return "\n".join(
        f"  {'.'.join(map(str, item['loc']))}: {reasons.get(item['type'], item['msg'])}"
        for item in error.errors()
    )


def _check_references(path: Path, content: ProjectFile) -> None:
    known = [pool.name for pool in content.definitions.pools]
    for deployment in content.deployments:
        if deployment.work_pool.name not in known:
            raise CatalogueError(
                f"{path}: {deployment.full_name} runs on pool {deployment.work_pool.name!r};"
                f" definitions.pools has {', '.join(known)}"
            )
    names = [deployment.full_name for deployment in content.deployments]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise CatalogueError(f"{path}: deployed twice: {', '.join(sorted(twice))}")


@lru_cache
def project() -> ProjectFile:
    """This project's prefect.yaml, read once."""
    return read(prefect_yaml())


@lru_cache
def deployed_flows() -> tuple[Entry, ...]:
    """Every deployed flow, in the order in which prefect.yaml lists them."""
    return tuple(Entry(deployment) for deployment in project().deployments)


def pools() -> Sequence[Pool]:
    """The five work pools and their limits."""
    return project().definitions.pools


def deployment_name(flow_name: str) -> str:
    """``refresh-catalog/analytics`` for ``refresh-catalog`` (or for the full name itself).

    Raises:
        CatalogueError: no deployment runs that flow; lists those there are.
    """
    names = [entry.deployment.full_name for entry in deployed_flows()]
    for name in names:
        if flow_name in {name, name.split("/")[0]}:
            return name
    raise CatalogueError(f"No deployment of {flow_name!r}. There are: {', '.join(names)}")
