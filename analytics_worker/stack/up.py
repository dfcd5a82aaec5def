"""The whole stack in one process tree: start in order, run the pipeline once, stay, stop in order.

Writes below the state and log folders, and into the analytics database what migrations, sample and
pipeline write there. Safe to repeat: a second start continues with the same data.
"""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from analytics_worker.errors import PermanentError
from analytics_worker.settings import (
    InvalidSettingError,
    project_root,
    settings,
    unread_variables,
    user_variables,
)
from analytics_worker.stack.background_thread import run_in_daemon_thread
from analytics_worker.stack.base_fork import ForkedBase
from analytics_worker.stack.components import Components
from analytics_worker.stack.damaged_database import set_damaged_aside
from analytics_worker.stack.environment import HOST, environment, ui_url
from analytics_worker.stack.errors import StackError
from analytics_worker.stack.login import access_notes, choose_login
from analytics_worker.stack.options import Options
from analytics_worker.stack.own_database import forget_own_database
from analytics_worker.stack.postgres.server import EmbeddedPostgres
from analytics_worker.stack.preflight import check_everything
from analytics_worker.stack.programs import BaseProcess
from analytics_worker.stack.seed_definitions import load_definitions
from analytics_worker.stack.server_database_template import SKIP_PREPARATION, start_from_template
from analytics_worker.stack.state_dir import RecordWriter, StackRecord, StateFolder, created
from analytics_worker.stack.supervised_process import SupervisedProcess
from analytics_worker.stack.task_process import TaskProcess
from analytics_worker.stack.terminal import Terminal, fail, stack_terminal
from analytics_worker.stack_address import API_LOGIN, API_URL

REFUSED = 2
REGISTRATION = "analytics_worker.stack.registration"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def supervise(options: Options, base: ForkedBase | None = None) -> int:
    """Run the stack until a signal ends it, with processes forked from `base`; the exit code."""
    try:
        folder = StateFolder(settings().state_dir, options.marker)
        folder.acquire_lock()
        left = folder.clear_leftovers()
        forget_own_database(folder.path)
        settings.cache_clear()  # stack.env of a killed stack must not pass for the user's choice
        port = check_everything(folder.path)
        login = choose_login()
    except InvalidSettingError as error:
        fail(str(error))
        return 1
    except (StackError, PermanentError) as error:
        fail(str(error))
        return REFUSED
    home = folder.path / "prefect"
    damaged = set_damaged_aside(home, user_variables())
    if start_from_template(home, user_variables()):
        os.environ.update(SKIP_PREPARATION | dict(os.environ))
    os.environ.update(environment(port, folder.marker, login and login.secret))
    terminal = stack_terminal()
    stopped = [f"Stopped {left} leftover processes of a previous stack."] if left else []
    variables = [*settings().replaced_variables(), *unread_variables()]
    for line in [*damaged, *access_notes(login), *stopped, *variables]:
        terminal.say(line)
    return asyncio.run(Stack(options, folder, terminal, port, base).run())


class Stack:
    """The running stack."""

    def __init__(
        self,
        options: Options,
        folder: StateFolder,
        terminal: Terminal,
        port: int,
        base: ForkedBase | None,
    ) -> None:
        self._options = options
        self._folder = folder
        self._terminal = terminal
        self._port = port
        self._began = time.monotonic()
        self._since = datetime.now(UTC).isoformat(timespec="seconds")
        stages = ("worker", "exporter", "server", "postgres")  # the order in which they stop
        self._stages: dict[str, list[SupervisedProcess]] = {stage: [] for stage in stages}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._task_processes: list[TaskProcess] = []
        self._base = BaseProcess(project_root(), base)
        self._deployment = self._task_process(REGISTRATION)
        self._pools: Sequence[str] = ()
        self._stop = asyncio.Event()
        self._recorder = RecordWriter(folder, self._record, terminal.say)
        self._components = Components(
            os.environ, settings().log_dir, port, terminal.say, self._recorder, self._base
        )
        own = settings().database_url is None
        self._postgres = EmbeddedPostgres(folder.path / "postgres") if own else None

    async def run(self) -> int:
        """Start everything, wait for a signal to stop, and stop everything."""
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        starting = asyncio.create_task(self._bring_up())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await stopping
        except (StackError, PermanentError) as error:
            fail(str(error))
            return REFUSED
        finally:
            starting.cancel()
            await self._shut_down()
        return 0

    async def _bring_up(self) -> None:
        database = asyncio.create_task(self._bring_up_database())
        server = asyncio.create_task(self._bring_up_server(database))
        try:
            await asyncio.gather(database, server)
        finally:
            database.cancel()
            server.cancel()
        seconds = time.monotonic() - self._began
        self._terminal.step("worker", f"{', '.join(self._pools)} online after {seconds:.1f} s")
        if self._options.pipeline:
            await self._run_pipeline()
            if self._postgres:
                call = self._deployment.call
                await load_definitions(self._options.definitions, self._terminal, call)
        await self._deployment.stop()
        self._terminal.step("metrics", f"http://{HOST}:{settings().prometheus_port}/metrics")
        self._terminal.step("ready", f"Prefect UI {ui_url(self._port)} · Ctrl-C stops everything")

    async def _bring_up_database(self) -> None:
        if self._postgres:
            with self._terminal.doing("postgres", "PostgreSQL starts"):
                server = self._postgres
                await run_in_daemon_thread(server.prepare)
                await self._ready("postgres", self._components.postgres(server))
                self._folder.write_env({"DATABASE_URL": server.url, **self._api()})
            self._terminal.step("postgres", f"ready in {server.data_dir}")
        else:
            self._folder.write_env(self._api())
        settings.cache_clear()
        with self._terminal.doing("database", "migrations and sample warehouse"):
            for line in await self._prepare_database():
                self._terminal.step("database", line)

    async def _prepare_database(self) -> list[str]:
        preparation = self._task_process("analytics_worker.stack.database")
        lines = await preparation.call(
            "analytics_worker.stack.database:prepare",
            sample=self._postgres is not None,
            scale=self._options.sample_scale,
            opportunities=self._options.sample_opportunities,
        )
        await preparation.stop()
        return lines

    async def _bring_up_server(self, database: asyncio.Task[None]) -> None:
        with self._terminal.doing("server", "Prefect server starts"):
            ready = asyncio.create_task(self._ready("server", self._components.server()))
            await self._deployment.start()
            await database
            self._pools = await self._deployment.call(f"{REGISTRATION}:read_deployments")
            await ready
        self._terminal.step("server", f"ready on {ui_url(self._port)}")
        await self._deploy("close_runs")
        await asyncio.gather(self._deploy("register"), self._bring_up_worker())

    async def _deploy(self, step: str) -> None:
        with self._terminal.doing("deploy", "pools, blocks and deployments"):
            for line in await self._deployment.call(f"{REGISTRATION}:{step}"):
                self._terminal.step("deployments", line)

    async def _bring_up_worker(self) -> None:
        with self._terminal.doing("worker", "worker and exporter start"):
            worker = self._ready("worker", self._components.worker(self._pools))
            await asyncio.gather(worker, self._ready("exporter", self._components.exporter()))

    async def _run_pipeline(self) -> None:
        with self._terminal.doing("pipeline", "the pipeline runs"):
            show = partial(self._terminal.busy, "pipeline")
            rows = await self._deployment.call("analytics_worker.stack.pipeline:run_pipeline", show)
        columns = ("step", "state", "seconds", "what it did")
        self._terminal.table("Pipeline", columns, rows)

    def _task_process(self, *modules: str) -> TaskProcess:
        text, debug = self._options.error_text, self._options.debug
        process = TaskProcess(*modules, describe=text, debug=debug, start=self._base.start)
        self._task_processes.append(process)
        return process

    def _api(self) -> dict[str, str]:
        return {name: os.environ[name] for name in (API_URL, API_LOGIN) if name in os.environ}

    async def _ready(self, stage: str, service: SupervisedProcess) -> None:
        """Start a service and wait until it is ready, or for the reason why it never will be."""
        self._stages[stage].append(service)
        running = self._tasks[service.name] = asyncio.create_task(service.run())
        await service.wait_until_ready(running)

    async def _shut_down(self) -> None:
        if any(self._stages.values()):
            self._terminal.step("stopping", "worker, server, database", "note")
        await asyncio.gather(*(process.stop() for process in self._task_processes))
        for services in self._stages.values():
            await asyncio.gather(*(service.stop() for service in services))
        await self._base.stop()
        for task in self._tasks.values():
            task.cancel()
        if self._postgres:
            self._postgres.release()
        self._recorder.stop()
        self._folder.remove_records()

    def _record(self) -> StackRecord:
        services = [each for stage in reversed(self._stages.values()) for each in stage]
        guardian = os.getppid()
        return StackRecord(
            pid=guardian,
            created=created(guardian) or 0.0,
            marker=self._folder.marker,
            api_url=os.environ["PREFECT_API_URL"],
            since=self._since,
            components=[service.component() for service in services],
            metrics_port=settings().prometheus_port,
        )
