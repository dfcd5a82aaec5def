"""Resolve how a run's process is started, and which object of the API configures it.

Prefect merges the job variables of a run, of its deployment and of its work pool, and does not keep
which of them set a value. Reads objects that are loaded already; writes nothing.
"""

import copy
import functools
from collections.abc import Mapping
from typing import Any, Self, cast
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect.workers.process import ProcessJobConfiguration
from pydantic import PrivateAttr, ValidationError
from typing_extensions import override

from analytics_worker.text import one_line

RUN = "the run's job variables"
DEPLOYMENT = "the deployment's job variables"
ENV = "env."
POOL = "the work pool's base job template"
INVALID = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
    ObjectNotFound,
)
"""Errors of Prefect for job variables, or a base job template, that it cannot read."""
MAX_MISTAKES = 3


class InvalidVariablesError(ValueError):
    """Job variables have the wrong type; the message names them and their source."""


class Job(ProcessJobConfiguration):
    """Prefect's job configuration, with the source of each value."""

    _requested_environment: dict[str, str | None] = PrivateAttr(
        default_factory=dict[str, str | None]
    )
    _sources: dict[str, Mapping[str, Any]] = PrivateAttr(
        default_factory=dict[str, Mapping[str, Any]]
    )

    _mistake: str | None = PrivateAttr(default=None)

    @property
    def mistake(self) -> str | None:
        """The reason why the job variables cannot be read."""
        return self._mistake

    @property
    def can_be_forked(self) -> bool:
        """Whether no command and no folder is configured."""
        return not self.has_command and self.working_dir is None

    @property
    def has_command(self) -> bool:
        """Whether a command is configured."""
        return self._command_configured

    @property
    def requested_environment(self) -> Mapping[str, str | None]:
        """The configured variables, without those that every run gets."""
        return self._requested_environment

    def source_of(self, name: str) -> tuple[str, object]:
        """Return the source of a job variable, and its text before it was resolved."""
        given = ((source, values.get(name)) for source, values in self._sources.items())
        return next((pair for pair in given if pair[1] is not None), (POOL, ""))

    def source_of_variable(self, name: str) -> tuple[str, object]:
        """Return the source that set, or removed, a variable of the process, and its text before it was resolved."""
        found = ((source, _environment(values)) for source, values in self._sources.items())
        return next(((source, env[name]) for source, env in found if name in env), (POOL, ""))

    @classmethod
    @override
    async def resolve_for_flow_run(
        cls,
        flow_run: FlowRun,
        *,
        client: PrefectClient,
        work_pool: WorkPool,
        worker_name: str,
        worker_id: UUID | None = None,
        deployment: DeploymentResponse | None = None,
    ) -> Self:
        """Build the configuration; the sources are copied first, because Prefect merges in place."""
        if deployment is None and flow_run.deployment_id:
            deployment = await client.read_deployment(flow_run.deployment_id)
        flow = await client.read_flow(flow_run.flow_id)
        try:
            sources: dict[str, Mapping[str, Any]] = {
                RUN: copy.deepcopy(flow_run.job_variables or {}),
                DEPLOYMENT: copy.deepcopy(deployment.job_variables or {}) if deployment else {},
                POOL: _pool_variables(work_pool.base_job_template),
            }
            _check_environments(sources)
            job = await super().resolve_for_flow_run(
                flow_run,
                client=client,
                work_pool=work_pool,
                worker_name=worker_name,
                worker_id=worker_id,
                deployment=deployment,
            )
            job._sources = sources  # noqa: SLF001  # its own
        except INVALID as error:
            job = cls()
            job._mistake = f"the job variables are not valid: {_described(error)}"
            job.prepare_for_flow_run(flow_run, deployment, flow, work_pool, worker_name, worker_id)
        return job

    @classmethod
    @override
    def _base_environment(cls) -> dict[str, str]:
        """Return Prefect's settings, which take 10 ms to write as variables and do not change while it serves."""
        return dict(_settings_as_variables())

    @override
    def prepare_for_flow_run(self, flow_run: FlowRun, *more: Any, **options: Any) -> None:
        """Note the requested variables before Prefect adds those of the worker."""
        self._requested_environment = dict(self.env)
        super().prepare_for_flow_run(flow_run, *more, **options)


@functools.cache
def _settings_as_variables() -> dict[str, str]:
    return get_current_settings().to_environment_variables(exclude_unset=True)


def _check_environments(sources: Mapping[str, Mapping[str, Any]]) -> None:
    for source, values in sources.items():
        env = values.get("env")
        is_template = source == POOL and isinstance(env, str)
        if env is not None and not isinstance(env, Mapping) and not is_template:
            raise InvalidVariablesError(f"{source} set an env that is not an object")


def _described(error: BaseException) -> str:
    """Describe in one line what is wrong, without the values: they may be resolved secrets."""
    if isinstance(error, InvalidVariablesError | ObjectNotFound):
        return one_line(str(error))
    if not isinstance(error, ValidationError):
        return f"Prefect cannot read them ({type(error).__name__})"
    wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:MAX_MISTAKES]]
    return one_line("; ".join(wrong))


def _environment(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of ``env`` and of keys such as ``env.NAME``."""
    dotted = {name[len(ENV) :]: value for name, value in variables.items() if name.startswith(ENV)}
    nested = variables.get("env")
    return {**dotted, **(cast("Mapping[str, Any]", nested) if isinstance(nested, Mapping) else {})}


def _pool_variables(template: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of a template's variables, and its job configuration."""
    properties = template.get("variables", {}).get("properties", {})
    defaults = {name: schema.get("default") for name, schema in properties.items()}
    fixed = template.get("job_configuration", {})
    return {**fixed, **{name: value for name, value in defaults.items() if value is not None}}
