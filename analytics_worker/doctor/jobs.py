"""Check which code runs can start: the folders, and whether callers of the API choose it.

Reads the settings and the file system; writes nothing.
"""

from collections.abc import Iterator

from analytics_worker.doctor.findings import Finding, graded
from analytics_worker.settings import settings
from analytics_worker.tracing import is_wanted, tracing_problem
from analytics_worker.worker.code_folders import CodeFolderError, configured_folders

AREA, FOLDERS = "settings", "WORKER_CODE_FOLDERS"


def overrides() -> Iterator[Finding]:
    """Callers of the API start nothing but deployed flows."""
    on = settings().worker_allow_job_overrides
    message = "on: any caller of the API can run other code as the worker's user" if on else "off"
    fix = "Unset it unless you need it (docs/decisions/job-overrides.md)."
    yield graded(AREA, "WORKER_ALLOW_JOB_OVERRIDES", message, warn=on, fix=fix)


def code_folders() -> Iterator[Finding]:
    """The folders whose flows the worker runs are there, and only their owner writes to them."""
    folders = ", ".join(map(str, settings().worker_code_folders))
    try:
        configured_folders()
    except CodeFolderError as error:
        fix = "Correct or unset it."
        yield Finding(AREA, FOLDERS, "fail", str(error).removeprefix(f"{FOLDERS}: "), fix)
    else:
        yield Finding(AREA, FOLDERS, "ok", folders or "only flows/ of this project")


def traces() -> Iterator[Finding]:
    """The variables of OpenTelemetry lead to a collector."""
    problem = tracing_problem()
    message = problem or ("sent" if is_wanted() else "off")
    fix = "Correct or unset the variable (docs/logs.md)."
    yield graded(AREA, "traces", message, warn=bool(problem), fix=fix)
