"""Run the deployments of this project from the worker's own checkout, whichever host deployed them.

A deployment names the folder of the host that ran `deploy`. Another host does not have it, or has other
code in it. Nothing that a caller of the API writes chooses code here: a flow of this project runs from this
project, or not at all. Pure decisions over what was read, and the digest of the checkout; writes nothing.
"""

from prefect.client.schemas.responses import DeploymentResponse

from analytics_worker.source_version import is_source_version, source_version
from analytics_worker.worker.run_spec import SET_FOLDER

FLOWS = "flows."
"""Start of the entrypoints of this project's deployments, which are dotted names."""


def is_of_this_project(deployment: DeploymentResponse) -> bool:
    """Whether the entrypoint names a flow of the project, and all else that it needs is a folder."""
    entrypoint, steps = deployment.entrypoint or "", deployment.pull_steps or []
    names_module = entrypoint.startswith(FLOWS) and not {"/", ":"} & set(entrypoint)
    return names_module and len(steps) == 1 and list(steps[0]) == [SET_FOLDER]


def version_difference(deployment: DeploymentResponse) -> str | None:
    """Return how the version of a deployment of this project differs from this checkout's; None if it does not."""
    if not is_of_this_project(deployment) or deployment.version == source_version():
        return None
    theirs = deployment.version or ""
    made = (
        f"from version {theirs}" if is_source_version(theirs) else "without a version of the code"
    )
    return f"the deployment was made {made}; this worker has version {source_version()}"
