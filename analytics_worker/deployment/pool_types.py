"""Base job templates of the work pools: runs as processes of a worker, as containers of Docker or as jobs of Kubernetes.

Takes the template that the installed worker of that type brings, and adds what the image of this project needs
(Containerfile). Writes nothing. Templates can be read by all clients of the API: they have no secret.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prefect.client.schemas.objects import WorkPool
from prefect.workers.process import ProcessWorker

from analytics_worker.errors import PermanentError

PROCESS, DOCKER, KUBERNETES = "process", "docker", "kubernetes"
IMAGE = "analytics-worker"
IMAGE_FOLDER = "/app"
"""The folder of the code in the image."""
STATE, SHARED = "/var/lib/analytics-worker", "/var/lib/analytics-shared"
ENV_FILE = "/etc/analytics-worker/environment"
"""The file of variables on a Docker host, as that of ops/systemd."""
SECRET = "analytics-worker"  # noqa: S105  # a name in ops/kubernetes
USER = 10001
Template = dict[str, Any]


class PoolTypeError(PermanentError):
    """The pools can't have that type; the message says why. Nothing was changed."""


def process_template(_image: str) -> Template:
    """Return Prefect's template of processes."""
    return ProcessWorker.get_default_base_job_template()


def docker_template(image: str) -> Template:
    """Return the template of containers: variables come from a file of the host, state from a volume."""
    try:
        from prefect_docker.worker import DockerWorker  # noqa: PLC0415  # an optional part
    except ImportError:
        raise _missing(DOCKER) from None
    template = DockerWorker.get_default_base_job_template()
    volumes = [
        f"{ENV_FILE}:{IMAGE_FOLDER}/.env:ro",
        f"analytics-state:{STATE}",
        f"analytics-shared:{SHARED}",
    ]
    limits = {"init": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
    defaults = {"auto_remove": True, "volumes": volumes, "container_create_kwargs": limits}
    return with_defaults(template, {"image": image, "image_pull_policy": "IfNotPresent"} | defaults)


def kubernetes_template(image: str) -> Template:
    """Return the template of jobs: variables come from the config map and the secret of ops/kubernetes."""
    try:
        from prefect_kubernetes.worker import KubernetesWorker  # noqa: PLC0415  # an optional part
    except ImportError:
        raise _missing(KUBERNETES) from None
    template = KubernetesWorker.get_default_base_job_template()
    pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    pod |= {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [{"name": name, "emptyDir": {}} for name in ("state", "tmp")],
    }
    pod["containers"][0] |= {
        "envFrom": [{"configMapRef": {"name": SECRET}}, {"secretRef": {"name": SECRET}}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "state", "mountPath": STATE},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # a volume of the pod
        ],
    }
    return with_defaults(
        template, {"image": image, "namespace": "analytics", "finished_job_ttl": 600}
    )


TEMPLATES: Mapping[str, Callable[[str], Template]] = {
    PROCESS: process_template,
    DOCKER: docker_template,
    KUBERNETES: kubernetes_template,
}


def check_type(pool_type: str | None, image: str | None) -> None:
    """Refuse a type that there is not, and an image for pools that have none.

    Raises:
        PoolTypeError: as the message says.
    """
    if pool_type is not None and pool_type not in TEMPLATES:
        raise PoolTypeError(
            f"{pool_type[:80]!r} is not a valid pool type; expected one of {', '.join(TEMPLATES)}."
        )
    if image is not None and pool_type in {None, PROCESS}:
        raise PoolTypeError("--image is of pools of --pool-type docker or kubernetes only.")
    if pool_type is not None:
        TEMPLATES[pool_type](image or IMAGE)


def check_pools(pool_type: str | None, existing: Iterable[WorkPool]) -> None:
    """Refuse to change the type of pools, which Prefect can't.

    Raises:
        PoolTypeError: the message names the pools and the commands.
    """
    others = [pool for pool in existing if pool_type is not None and pool.type != pool_type]
    if others:
        types = ", ".join(f"{pool.name} is of type {pool.type}" for pool in others)
        commands = "; ".join(f"prefect work-pool delete {pool.name}" for pool in others)
        raise PoolTypeError(
            f"The type of a pool can't be changed: {types}. Delete them and deploy again: {commands}"
        )


def with_defaults(template: Template, defaults: Mapping[str, Any]) -> Template:
    """Return the template with other defaults of its variables."""
    properties = template["variables"]["properties"]
    for name, value in defaults.items():
        properties[name] = properties.get(name, {}) | {"default": value}
    return template


def _missing(pool_type: str) -> PoolTypeError:
    return PoolTypeError(
        f"prefect-{pool_type} is not installed here; install the optional part {pool_type} of pyproject.toml:"
        f" .venv/bin/python -m pip install --editable '.[{pool_type}]'"
    )
