"""``analytics-worker worker``: serve the work pools from one process.

Claims and runs what is due on the pools of the Prefect API; writes log files and, below the state
directory, locks. Several can run side by side, on one host or many.
"""

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analytics_worker.disk_problems import named_disk_errors
from analytics_worker.log_format import use_log_format
from analytics_worker.preload.libraries import LIBRARIES
from analytics_worker.settings import Settings, project_root, settings

if TYPE_CHECKING:
    from analytics_worker.worker.job_override_policy import JobPolicy
    from analytics_worker.worker.worker_process import Options

OWN = ("flows", "blocks", "analytics_worker")
"""This worker also imports the flows of the pools, and again as soon as one of them is edited."""
SPARES = ("dbt",)
"""Pools whose runs start dbt in a process of its own."""
DBT = ("analytics_worker.worker.fork_server.dbt_preload:load",)
"""Modules that their fork server imports in addition, while there are such runs."""

Pools = Annotated[
    list[str] | None, typer.Option(help="Serve this pool; can be repeated. Default: all.")
]
Name = Annotated[
    str | None,
    typer.Option(help="Shown in the UI, before an id of the worker. Default: the host's name."),
]
LogDir = Annotated[
    Path | None, typer.Option(help="Write worker-<pool>.log files into this folder.")
]
DrainSeconds = Annotated[
    float | None, typer.Option(help="How long active runs may continue after SIGTERM.")
]
PollSeconds = Annotated[
    float, typer.Option(help="How often to look for work that no event announced.")
]
StrictVersion = Annotated[
    bool,
    typer.Option(
        "--strict-version",
        help="Refuse runs whose deployment was made from another version of the code.",
    ),
]


def worker(
    pool: Pools = None,
    name: Name = None,
    log_dir: LogDir = None,
    drain_seconds: DrainSeconds = None,
    poll_seconds: PollSeconds = 10,
    strict_version: StrictVersion = False,
) -> None:
    """Run what is due on the work pools, each run forked from a preloaded process."""
    from analytics_worker.breakers.factory import configured_store  # noqa: PLC0415
    from analytics_worker.database.schema_revision import wait_for_schema  # noqa: PLC0415
    from analytics_worker.prefect_support.api_client import check_access  # noqa: PLC0415
    from analytics_worker.prefect_support.deployments import pools as all_pools  # noqa: PLC0415
    from analytics_worker.worker.worker_process import serve  # noqa: PLC0415

    use_log_format("worker")
    configured_store()  # an invalid REDIS_URL would fail each run
    check_access()
    wait_for_schema(_warn)
    chosen = settings()
    pools = pool or [known.name for known in all_pools()]
    _warn_of_tracing()
    threading.Thread(target=_warn_of_pooler, daemon=True).start()
    policy = _job_policy(chosen, log_dir)
    policy = replace(policy, strict_version=strict_version or chosen.worker_strict_version)
    options = _configured_options(chosen, pools, policy)
    given = {"name": name or None, "drain_seconds": drain_seconds}
    given = {option: value for option, value in given.items() if value is not None}
    with named_disk_errors(chosen.state_dir):
        serve(replace(options, log_dir=log_dir, poll_seconds=poll_seconds, **given))


def _warn(text: str) -> None:
    from prefect.logging import get_logger  # noqa: PLC0415  # --help answers at once

    get_logger("worker").warning("%s", text)


def _warn_of_tracing() -> None:
    """Log why no traces are sent, if they are wanted."""
    from analytics_worker.tracing import tracing_problem  # noqa: PLC0415  # --help answers at once

    if problem := tracing_problem():
        _warn(problem)


def _warn_of_pooler() -> None:
    """Log which variables lead to a pooler that does not keep sessions; an unavailable database is no reason to wait."""
    from prefect.logging import get_logger  # noqa: PLC0415  # --help answers at once
    from psycopg2 import OperationalError  # noqa: PLC0415

    from analytics_worker.database.pooler import pooled_variables, warning  # noqa: PLC0415
    from analytics_worker.errors import PermanentError  # noqa: PLC0415

    try:
        for variable, fix in pooled_variables():
            _warn(warning(variable, fix))
    except (OperationalError, PermanentError) as error:
        get_logger("worker").info("The database was not checked for a pooler: %s", error)


def _configured_options(chosen: Settings, pools: list[str], policy: "JobPolicy") -> "Options":
    """What the settings say of a worker of these pools."""
    from analytics_worker.preload.code_reload import Project  # noqa: PLC0415  # --help answers at once
    from analytics_worker.tracing import modules_to_preload  # noqa: PLC0415
    from analytics_worker.worker.run_monitor import default_limit_mb  # noqa: PLC0415
    from analytics_worker.worker.worker_process import Options  # noqa: PLC0415

    root, limit = project_root(), chosen.worker_run_memory_limit_mb
    flows = [f"flows.{name}" for name in pools if (root / "flows" / name).is_dir()]
    return Options(
        pools=pools,
        project=Project(root, OWN, flows),
        policy=policy,
        state_dir=chosen.state_dir,
        preload=[*LIBRARIES, *modules_to_preload(), *chosen.worker_preload],
        spares=() if chosen.dbt_executable else SPARES,
        spare_preload=() if chosen.dbt_executable else DBT,
        drain_seconds=chosen.worker_drain_seconds,
        recycle_after=chosen.worker_recycle_after_runs,
        memory_limit_mb=default_limit_mb() if limit is None else limit,
    )


def _job_policy(chosen: Settings, log_dir: Path | None) -> "JobPolicy":
    """Return the job overrides that are allowed; code is never read from folders that the worker writes to."""
    from prefect.settings import get_current_settings  # noqa: PLC0415  # --help answers at once

    from analytics_worker.worker.code_folders import configured_folders  # noqa: PLC0415
    from analytics_worker.worker.job_override_policy import JobPolicy  # noqa: PLC0415

    prefect = get_current_settings()
    written = [prefect.home, prefect.results.local_storage_path, *([log_dir] if log_dir else [])]
    return JobPolicy(
        chosen.worker_allow_job_overrides,
        configured_folders(written),
        frozenset(chosen.worker_job_environment),
    )
