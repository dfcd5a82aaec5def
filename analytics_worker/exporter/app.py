"""The exporter put together: which collectors there are, and which of them share a thread.

Writes ``exporter.sqlite`` in the state folder; listens on PROMETHEUS_PORT.
"""

import signal
import threading
from pathlib import Path

from analytics_worker import systemd
from analytics_worker.exporter.collectors import Collector
from analytics_worker.exporter.collectors.active_runs import ActiveRuns
from analytics_worker.exporter.collectors.alerts import Alerts
from analytics_worker.exporter.collectors.breakers import Breakers
from analytics_worker.exporter.collectors.build import Build
from analytics_worker.exporter.collectors.dbt import Dbt
from analytics_worker.exporter.collectors.deliveries import Deliveries
from analytics_worker.exporter.collectors.deployments import Deployments
from analytics_worker.exporter.collectors.flow_runs import FlowRuns
from analytics_worker.exporter.collectors.host import Host
from analytics_worker.exporter.collectors.incidents import Incidents
from analytics_worker.exporter.collectors.promises import Promises
from analytics_worker.exporter.collectors.report_runs import ReportRuns
from analytics_worker.exporter.collectors.reports import Reports
from analytics_worker.exporter.collectors.task_runs import TaskRuns
from analytics_worker.exporter.collectors.timings import Timings
from analytics_worker.exporter.collectors.views import Views
from analytics_worker.exporter.collectors.work_pools import WorkPools
from analytics_worker.exporter.console import log_line
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.event_subscription import EventSubscription
from analytics_worker.exporter.http_server import STUCK_SECONDS, Server
from analytics_worker.exporter.label_cache import CachedList, DeploymentIndex, FlowRunLabels
from analytics_worker.exporter.metric_families import Family
from analytics_worker.exporter.ops_reader import one_connection
from analytics_worker.exporter.poller import FAMILIES, Exposition, Poller
from analytics_worker.exporter.prefect_client import PrefectApi
from analytics_worker.exporter.request_hosts import RequestHosts
from analytics_worker.prefect_support.api_tls import share_api_ssl_context
from analytics_worker.settings import settings

DATABASE_INTERVAL_FACTOR = 3
"""Polls of the API for each poll of the database, whose data changes every few minutes."""
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def prefect_collectors(store: Store) -> list[Collector]:
    """Return the collectors that read the Prefect API."""
    api = PrefectApi()
    deployment_index, flow_runs = DeploymentIndex(api), FlowRunLabels(api)
    pools = CachedList(api, "work_pools")
    return [
        ActiveRuns(api, pools),
        FlowRuns(api, store, deployment_index, flow_runs),
        TaskRuns(api, store, flow_runs),
        WorkPools(api, pools),
        Deployments(deployment_index, store),
        Timings(api, store),
    ]


def local_collectors() -> list[Collector]:
    """Return the collectors that read this host."""
    return [Host(), Breakers(), Build()]


def database_collectors(store: Store) -> list[Collector]:
    """Return the collectors that read the tables of schema ``ops``."""
    return [
        Alerts(),
        Incidents(),
        Promises(),
        ReportRuns(),
        Deliveries(store),
        Views(store),
        Dbt(store),
        Reports(store),
    ]


def pollers(store: Store) -> list[Poller]:
    """One thread each for the API, this host and the database: one that hangs holds up no other."""
    every = settings().exporter_poll_seconds
    return [
        Poller("prefect", prefect_collectors(store), every, EventSubscription()),
        Poller("host", local_collectors(), every),
        Poller(
            "database",
            database_collectors(store),
            every * DATABASE_INTERVAL_FACTOR,
            within=one_connection,
        ),
    ]


def store_path() -> Path:
    """Return the path of the counters."""
    return settings().state_dir / "exporter.sqlite"


def families() -> list[Family]:
    """Return every metric family once; open nothing."""
    store = object.__new__(Store)
    collectors = [
        *prefect_collectors(store),
        *local_collectors(),
        *database_collectors(store),
    ]
    found = {family.name: family for one in collectors for family in one.families}
    found |= {family.name: family for family in FAMILIES}
    return [found[name] for name in sorted(found)]


def serve() -> int:
    """Answer until a signal; the exit code."""
    chosen = settings()
    share_api_ssl_context()
    signal.pthread_sigmask(
        signal.SIG_BLOCK, STOP_SIGNALS
    )  # threads started from now on leave them to us
    exposition_pollers = pollers(Store(store_path()))
    exposition = Exposition(exposition_pollers)
    hosts = RequestHosts(chosen.prometheus_host, chosen.prometheus_allowed_hosts)
    try:
        server = Server(chosen.prometheus_host, chosen.prometheus_port, exposition, hosts)
    except OSError as error:
        where = f"{chosen.prometheus_host}:{chosen.prometheus_port}"
        log_line(
            f"{where} can't be used ({error.strerror}): stop what has it, or choose another"
            f" PROMETHEUS_PORT, such as {chosen.prometheus_port + 1}."
        )
        return 1
    for poller in exposition_pollers:
        poller.start()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _wait_for_signal(exposition)
    server.shutdown()
    for poller in exposition_pollers:
        poller.stop()
    return 0


def _wait_for_signal(exposition: Exposition) -> None:
    """Wait for the end; report to systemd that the pollers poll until then."""
    systemd.notify(systemd.READY)
    while not _stop_requested():
        if exposition.seconds_since_poll() <= STUCK_SECONDS:
            systemd.notify(systemd.ALIVE)
    systemd.notify(systemd.STOPPING)


def _stop_requested() -> bool:
    """Wait for a signal until the next report; a process that was paused meanwhile gets one with number 0."""
    received = signal.sigtimedwait(STOP_SIGNALS, systemd.report_seconds())
    return received is not None and received.si_signo in STOP_SIGNALS
