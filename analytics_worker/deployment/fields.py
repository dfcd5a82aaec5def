"""The fields of a deployment as prefect.yaml defines them, and as the server stores them. Reads the checkout; writes nothing."""

from collections.abc import Mapping
from typing import Any

from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.utilities.callables import parameter_schema

from analytics_worker.prefect_support.deployments import DeployedFlow
from analytics_worker.sample_project import without_sample_selection
from analytics_worker.settings import project_root
from analytics_worker.source_version import source_version

PULL_STEP = "prefect.deployments.steps.set_working_directory"


def fields_of(deployed_flow: DeployedFlow) -> dict[str, Any]:
    """Return the fields that `prefect deploy` would send for this deployment."""
    deployment = deployed_flow.deployment
    limit = deployment.concurrency_limit
    return {
        "entrypoint": deployment.entrypoint,
        "version": source_version(),
        "description": deployment.description,
        "work_pool_name": deployment.work_pool.name,
        "concurrency_limit": limit and limit.limit,
        "concurrency_options": limit and {"collision_strategy": limit.collision_strategy},
        "parameters": deployment.parameters,
        "tags": deployment.tags,
        "job_variables": deployment.work_pool.job_variables,
        "pull_steps": [{PULL_STEP: {"directory": str(project_root())}}],
        "parameter_openapi_schema": parameter_schema(deployed_flow.flow).model_dump(
            exclude_unset=True
        ),
        "enforce_parameter_schema": deployment.enforce_parameter_schema,
        "schedules": [
            DeploymentScheduleCreate.model_validate(
                {
                    "schedule": schedule.times,
                    "slug": schedule.slug,
                    "parameters": without_sample_selection(schedule.parameters),
                }
                | ({} if schedule.active else {"active": False})
            )
            for schedule in deployment.schedules
        ],
    }


def stored_fields(deployment: DeploymentResponse) -> dict[str, Any]:
    """Return the same fields of a deployment of the server."""
    limit, options = deployment.global_concurrency_limit, deployment.concurrency_options
    names = (
        "entrypoint",
        "version",
        "description",
        "work_pool_name",
        "parameters",
        "tags",
        "job_variables",
    )
    names += ("pull_steps", "parameter_openapi_schema", "enforce_parameter_schema", "schedules")
    return {name: getattr(deployment, name) for name in names} | {
        "concurrency_limit": limit and limit.limit,
        "concurrency_options": options and {"collision_strategy": options.collision_strategy.value},
    }


def comparable(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in a form in which order and representation do not matter."""
    schedules = [
        schedule.model_dump(mode="json", include={"schedule", "slug", "parameters"})
        for schedule in fields["schedules"]
    ]
    return {
        **fields,
        "tags": sorted(fields["tags"]),
        "schedules": sorted(schedules, key=lambda schedule: str(schedule["slug"])),
    }


def changed_fields(desired: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the fields that differ."""
    return tuple(name for name in desired if desired[name] != stored[name])
