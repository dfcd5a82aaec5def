"""The Prefect server of a stack: ``python -m analytics_worker.server``.

How it uses SQLite and PostgreSQL is in analytics_worker/server/database.py. On both, unpermitted requests are refused before Prefect sees them
(analytics_worker/server/request_guard.py), and automations connect to permitted addresses only
(analytics_worker/server/automation_actions.py), and runs that were declared crashed stay so
(analytics_worker/server/crashed_runs.py), and clients repeat requests for which PostgreSQL had no connection
(analytics_worker/server/unavailable_database.py). What exists is created only once, without an error in the log
(analytics_worker/server/conflicts.py). A schema is checked once (analytics_worker/server/checked_schemas.py). An idle one
waits (analytics_worker/server/background_tasks.py), and checks of requests cost little
(analytics_worker/server/direct_middleware.py). The documentation is shown beside the UI
(analytics_worker/server/documentation_pages.py). Reads and writes only what Prefect's server does, extends
deadlines that passed during its downtime (analytics_worker/server/deadlines_after_downtime.py) and creates indexes (analytics_worker/server/sqlite_indexes.py).
"""

import asyncio
import sys

import uvicorn
from fastapi import FastAPI
from prefect.server.api.server import create_app
from prefect.settings import get_current_settings
from uvicorn.config import LOGGING_CONFIG

from analytics_worker.errors import PermanentError
from analytics_worker.host_port import is_loopback
from analytics_worker.log_format import is_json, use_log_format
from analytics_worker.server.automation_actions import restrict_actions
from analytics_worker.server.background_tasks import wait_for_background_tasks
from analytics_worker.server.checked_schemas import check_schemas_once
from analytics_worker.server.conflicts import answer_conflicts
from analytics_worker.server.crashed_runs import keep_declared_crashes
from analytics_worker.server.database import configure_database, is_on_sqlite
from analytics_worker.server.deadlines_after_downtime import extend_heartbeat_deadlines
from analytics_worker.server.direct_middleware import check_directly
from analytics_worker.server.documentation_pages import show_documentation
from analytics_worker.server.request_guard import RequestGuard
from analytics_worker.server.request_limit import limit_api_requests
from analytics_worker.server.request_rules import Rules
from analytics_worker.server.sqlite_indexes import create_indexes
from analytics_worker.server.unauthorized import UnauthorizedExplanation
from analytics_worker.server.unavailable_database import answer_unavailable
from analytics_worker.server.uvicorn_server import serve
from analytics_worker.server_login import VARIABLE, login_problem
from analytics_worker.settings import settings, user_variables
from analytics_worker.stack_address import PROCESS_MARKER
from analytics_worker.transport.address_filter import configured_allow_list


async def prepare() -> None:
    """Prepare the server before it accepts requests."""
    await extend_heartbeat_deadlines()
    if is_on_sqlite():
        await create_indexes()


def app(port: int | None = None) -> RequestGuard:
    """Factory for ``uvicorn --factory analytics_worker.server.app:app``; the port is that of Prefect's settings."""
    configure_database()
    restrict_actions()
    keep_declared_crashes()
    check_schemas_once()
    wait_for_background_tasks()
    answer_unavailable()
    answer_conflicts()
    rules = _rules(port or get_current_settings().server.api.port)
    served = create_app()
    api: FastAPI = served.api_app  # pyright: ignore[reportAttributeAccessIssue]
    limit_api_requests(served, api)
    check_directly(served, api)
    show_documentation(served)
    stack_id = user_variables().get(PROCESS_MARKER, "")
    return RequestGuard(UnauthorizedExplanation(served), rules, stack_id)


def _rules(port: int) -> Rules:
    api = get_current_settings().server.api
    return Rules.of(api.host, port, settings().server_allowed_hosts, api.base_path)


def check(port: int) -> None:
    """Refuse settings that would let any client use the server.

    Raises:
        PermanentError: they are named in the message.
    """
    api = get_current_settings().server.api
    _rules(port)
    configured_allow_list()
    login = None if api.auth_string is None else api.auth_string.get_secret_value()
    problem = None if login is None else login_problem(login)
    if problem:
        raise PermanentError(f"{VARIABLE} {problem}.")
    if login is None and not is_loopback(api.host):
        raise PermanentError(
            f"PREFECT_SERVER_API_HOST={api.host} lets other hosts reach the API and run commands"
            f" as this user: set {VARIABLE}=user:password, too."
        )


def main() -> None:
    """Serve API and UI until a signal stops it: ``python -m analytics_worker.server PORT``."""
    port = int(sys.argv[1])
    try:
        use_log_format("server")
        check(port)
    except PermanentError as error:
        sys.exit(f"error: {error}")
    configure_database()
    asyncio.run(prepare())
    served = app(port)
    use_log_format("server")  # also for the loggers that Prefect has just configured
    config = uvicorn.Config(
        served,
        host=get_current_settings().server.api.host,
        port=port,
        loop="asyncio",  # uvloop connects without the audit events that restrict_actions needs
        log_config=None
        if is_json()
        else LOGGING_CONFIG,  # Prefect's is like those of its other loggers
        log_level="warning",
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,  # the websockets of UI and workers never end by themselves
    )
    serve(config)


if __name__ == "__main__":
    main()
