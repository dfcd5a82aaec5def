"""Hold the lease of the current run: renew it while the run works, end the run if it is lost.

Reads the run from the Prefect API and sends a heartbeat with each renewal, so that the server's deadline
begins again, too. A run without a deployment is never declared crashed, and has no lease.
"""

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from types import FrameType

import httpx
from prefect import get_client, get_run_logger
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from analytics_worker import run_lease
from analytics_worker.prefect_support.heartbeat_timeout import heartbeat_event
from analytics_worker.run_lease import RETRY_SECONDS, Instant, RunLease, RunLostError
from analytics_worker.settings import settings
from analytics_worker.text import one_line

REQUEST_SECONDS = 5.0
GRACE_SECONDS = 30.0
"""How long a lost run may take to stop its statements and child processes before it is killed."""
INTERRUPT = signal.SIGUSR2


@contextmanager
def run_ownership() -> Generator[None]:
    """Let the writes of the current run depend on its lease, and check it once more at the end.

    Raises:
        RunLostError: the server has given the run another state, or has another process execute it.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None or run_lease.is_held():
        yield
        return
    lease = RunLease(
        settings().worker_run_lease_seconds, _confirmation(run), Instant.of_process_start()
    )
    with run_lease.hold(lease), _renewals(lease):
        yield
        lease.check()


def _confirmation(run: FlowRun) -> Callable[[], bool]:
    """Return a function that asks the server, in the current context, from any thread."""
    context, logger = copy_context(), get_run_logger()

    def confirm() -> bool:
        try:
            context.run(_confirm, run)
        except RunLostError as error:
            logger.error("%s; nothing more is written", str(error).rstrip("."))  # noqa: TRY400  # expected
            raise
        except (httpx.HTTPError, OSError) as error:
            logger.debug("the run is not confirmed: %r", error)
            return False
        return True

    return confirm


def _confirm(run: FlowRun) -> None:
    """Extend the server's deadline, then compare the run's state with the one that this process has set.

    Raises:
        RunLostError: it is another one.
        httpx.HTTPError, OSError: the server can't be reached.
    """
    with (
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(sync_client=True, httpx_settings={"timeout": REQUEST_SECONDS}) as client,
    ):
        client.request("POST", "/events", json=[heartbeat_event(run)])
        try:
            now = client.read_flow_run(run.id)
        except ObjectNotFound:
            raise RunLostError("The run was deleted") from None
    if not _is_same(run, now):
        state = f"{now.state.name}: {one_line(now.state.message or '')}" if now.state else "none"
        raise RunLostError(f"This process lost the run, whose state is now {state}")


def _is_same(run: FlowRun, now: FlowRun) -> bool:
    """Whether the run is still in the state that this process has set, or is being cancelled in it."""
    if now.state is None or now.state.is_cancelling():
        return now.state is not None
    return now.state.is_running() and run.state is not None and now.state.id == run.state.id


@contextmanager
def _renewals(lease: RunLease) -> Generator[None]:
    """Renew the lease in a thread, which interrupts this one if the run is lost."""
    ended = threading.Event()
    if threading.current_thread() is threading.main_thread():
        signal.signal(INTERRUPT, _raise)
    thread = threading.Thread(
        target=copy_context().run, args=(_renew, lease, ended), name="run lease", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()


def _renew(lease: RunLease, ended: threading.Event) -> None:
    pause = lease.seconds / 2
    while not ended.wait(pause):
        try:
            pause = lease.seconds / 2 if lease.renew() else RETRY_SECONDS
        except RunLostError:
            _stop(ended)
            return


def _stop(ended: threading.Event) -> None:
    """Interrupt the main thread; after a grace period, end all processes of the run."""
    if ended.is_set() or signal.getsignal(INTERRUPT) is not _raise:
        return
    signal.pthread_kill(threading.main_thread().ident or 0, INTERRUPT)
    if not ended.wait(GRACE_SECONDS) and os.getpgrp() == os.getpid():
        with suppress(ProcessLookupError):
            os.killpg(0, signal.SIGKILL)


def _raise(_number: int, _frame: FrameType | None) -> None:
    """End the main thread's work, once: what it does to end is not interrupted again."""
    signal.signal(INTERRUPT, signal.SIG_IGN)
    raise RunLostError("This process lost the run")
