"""The child: one flow run, or the hooks of one, in a freshly forked process.

Does what ``python -m prefect.engine`` does, with the run as the worker has claimed it. Notes its
identity in a file before anything else, so that a restarted worker knows whether it still lives.
"""

import asyncio
import atexit
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn
from uuid import UUID

from prefect.client.schemas.objects import FlowRun, State
from prefect.context import refresh_global_settings_context
from prefect.logging.configuration import setup_logging
from prefect.logging.handlers import APILogHandler

from analytics_worker.json_lines import identify
from analytics_worker.log_format import apply_to_handlers, finish_streams, report_uncaught
from analytics_worker.preload.code_reload import unload
from analytics_worker.process_identity import ProcessIdentity
from analytics_worker.tracing import finish_tracing, start_tracing
from analytics_worker.worker import prefect_internals
from analytics_worker.worker.fork_server import prefect_internals as engine_requests
from analytics_worker.worker.fork_server.protocol import ForkRequest
from analytics_worker.worker.server_facts import Facts

CANCELLATION_SIGNAL = signal.SIGUSR1
"""Precedes the SIGTERM that cancels a run whose worker has ended, and with it the control channel."""


def run_child(request: ForkRequest, server_environment: Mapping[str, str]) -> NoReturn:
    """Do what is asked and leave, without tearing down the heap that the fork server shares."""
    code = 1
    try:
        code = _run_guarded(request, server_environment)
    finally:
        os._exit(code)


def _run_guarded(request: ForkRequest, server_environment: Mapping[str, str]) -> int:
    code = 0
    try:
        adopt_environment(request, server_environment)
        if request["kind"] == "run":
            run(request)
        else:
            asyncio.run(run_hooks(request))
    except SystemExit as error:
        code = exit_code(error)
    except BaseException:  # noqa: BLE001  # the interpreter's own last resort
        report_uncaught()
        code = 1
    _shut_down_interpreter()
    return code


def exit_code(error: SystemExit) -> int:
    """Return the exit code of the interpreter."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)  # noqa: T201  # as the interpreter does
    return 1


def _shut_down_interpreter() -> None:
    """End threads and flush queues and streams, as the interpreter would."""
    try:
        threading._shutdown()  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue]
        atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        finish_streams()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001  # nothing may keep the process from ending
        report_uncaught()


def adopt_environment(request: ForkRequest, server_environment: Mapping[str, str]) -> None:
    """Take on session, signals, output, environment, settings and folder of the run."""
    os.setsid()  # cancelling the run ends all processes of its session's group
    unload(request["unload"])
    _reset_signals()
    if request["record"]:
        _write_record(Path(request["record"]))
    if request["spare"]:
        from analytics_worker.prefect_support import warm_process  # noqa: PLC0415  # the run's own, see analytics_worker/preload/code_reload.py

        warm_process.fork_warm_process()
    _redirect(request["output"])
    environment = request["environment"]
    os.environ.clear()  # noqa: TID251  # this process becomes another one
    os.environ.update(environment)  # noqa: TID251
    _adopt_folder(request["directory"], environment)
    random.seed()
    if environment.get("TZ") != server_environment.get("TZ"):
        time.tzset()
    if _prefect_settings(environment) != _prefect_settings(server_environment):
        refresh_global_settings_context()
        setup_logging()
        apply_to_handlers()
    identify(
        process="run",
        flow_run_id=request["flow_run_id"],
        deployment_name=environment.get("PREFECT__DEPLOYMENT_NAME"),
        worker_name=environment.get("PREFECT__WORKER_NAME"),
    )


def _reset_signals() -> None:
    """Set the handlers of a fresh interpreter, and one that marks the next SIGTERM as a cancellation."""
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(CANCELLATION_SIGNAL, _enable_cancellation)


def _enable_cancellation(_number: int, _frame: FrameType | None) -> None:
    prefect_internals.enable_cancellation()
    signal.signal(CANCELLATION_SIGNAL, signal.SIG_IGN)  # shows the sender that it was handled


def _write_record(record: Path) -> None:
    me = ProcessIdentity.of(os.getpid())
    try:
        if me is not None:
            me.write(record)
    except OSError as error:  # a full disk: only a killed worker would miss it
        print(f"{record} cannot be written: {error.strerror}", file=sys.stderr)  # noqa: T201


def _redirect(output: str | None) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    if output is not None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        target = os.open(output, flags, 0o640) if output else null
        os.dup2(target, 1)
        os.dup2(target, 2)


def _adopt_folder(directory: str, environment: Mapping[str, str]) -> None:
    os.chdir(directory)
    for entry in reversed(environment.get("PYTHONPATH", "").split(os.pathsep)):
        if entry and entry not in sys.path:
            sys.path.insert(0, entry)
    sys.path.insert(0, directory)


def _prefect_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """PREFECT__ variables are the run's identity, not settings."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith("PREFECT_") and not name.startswith("PREFECT__")
    }


def run(request: ForkRequest) -> None:
    """The body of ``python -m prefect.engine``."""
    flow_run_id = UUID(request["flow_run_id"])
    prefect_internals.configure_from_env()
    _assume(request.get("facts", {}))
    with prefect_internals.handle_engine_signals(flow_run_id):
        flow_run = FlowRun.model_validate(request.get("flow_run"))
        identify(flow_run_name=flow_run.name, work_pool_name=flow_run.work_pool_name)
        logger = prefect_internals.flow_run_logger(flow_run=flow_run)
        if request["pull_step"]:
            _log_pull_step(logger)
        try:
            flow = _load(request, flow_run)
        except Exception:
            logger.exception("Unexpected exception encountered when trying to load flow")
            raise
        name = engine_requests.name_at_start(flow, flow_run)
        identify(flow_name=flow.name, flow_run_name=name)
        engine_requests.answer_first_read(flow_run, flow.version)
        start_tracing(_traced(flow_run, flow.name))
        try:
            with prefect_internals.RunMetrics(flow_run, flow):
                prefect_internals.execute_flow(flow, flow_run, logger)
        finally:
            finish_tracing()


def _traced(flow_run: FlowRun, flow: str) -> dict[str, str | None]:
    """Return what each span of the run names."""
    return {
        "prefect.flow.name": flow,
        "prefect.deployment.name": os.environ.get("PREFECT__DEPLOYMENT_NAME"),  # noqa: TID251  # set by the worker
        "prefect.work-pool.name": flow_run.work_pool_name,
        "service.instance.id": os.environ.get("PREFECT__WORKER_NAME"),  # noqa: TID251
    }


def _load(request: ForkRequest, flow_run: FlowRun) -> Any:
    load = (
        prefect_internals.load_flow if request["any_function"] else prefect_internals.load_only_flow
    )
    return load(flow_run)


def _assume(facts: Facts) -> None:
    """Do not ask the server again for what the worker knows."""
    engine_requests.assume_version()
    if not facts.get("csrf", True):
        engine_requests.assume_no_csrf()
    if "result_storage" in facts:
        block = facts["result_storage"]
        engine_requests.assume_result_storage(None if block is None else UUID(block))


def _log_pull_step(logger: Any) -> None:
    """Log what Prefect logs for the one step that the worker has already done for this run."""
    logger.info("Running 1 deployment pull step(s)")
    logger.info("Executing deployment step: set_working_directory")
    logger.info("Deployment step 'set_working_directory' completed successfully")
    logger.info("All deployment steps completed successfully")


async def run_hooks(request: ForkRequest) -> None:
    """The flow's on_cancellation or on_crashed hooks."""
    flow_run = FlowRun.model_validate(request.get("flow_run"))
    state: State[Any] = State.model_validate(request.get("state"))
    flow = await asyncio.to_thread(_load, request, flow_run)
    hooks = getattr(flow, f"on_{request['kind']}_hooks", None) or []
    await prefect_internals.run_hooks(hooks, flow_run, flow, state)
    await APILogHandler.aflush()
