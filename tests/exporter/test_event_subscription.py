"""Events let the exporter poll soon; without them, and while a run is in progress, it polls as often as before."""

import threading
from collections.abc import Callable

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from typing_extensions import override

from analytics_worker.exporter.collectors import Collector
from analytics_worker.exporter.collectors.active_runs import ActiveRuns
from analytics_worker.exporter.event_subscription import EventSubscription
from analytics_worker.exporter.label_cache import CachedList
from analytics_worker.exporter.poller import Poller
from analytics_worker.exporter.prefect_client import PrefectApi
from tests.support.ports import free_port
from tests.support.seeded_runs import seeder
from tests.support.wait_until import wait_until


@pytest.fixture
def listening():
    """Start a subscription, which ends with the test."""
    started: list[EventSubscription] = []

    def start(announce: Callable[[], None]) -> EventSubscription:
        started.append(EventSubscription())
        started[-1].start(announce)
        return started[-1]

    yield start
    for subscription in started:
        subscription.stop()


def test_a_run_that_ends_is_announced(prefect_server, listening):
    announced = threading.Semaphore(0)
    with (
        seeder(prefect_server.api_url) as seeded,
        temporary_settings({PREFECT_API_URL: prefect_server.api_url}),
    ):
        subscription = listening(announced.release)
        wait_until(lambda: subscription.connected, 60)
        assert announced.acquire(timeout=60), "what happened before"
        seeded.runs(1)
        assert announced.acquire(timeout=60)


def test_without_a_server_nothing_is_announced(capfd, listening):
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        subscription = listening(lambda: None)
        wait_until(lambda: "the API is polled instead" in capfd.readouterr().err, 60)
    assert not subscription.connected


class Announcements:
    """A subscription without a server."""

    connected = True

    def start(self, announce: object) -> None:
        """Announce nothing."""

    def stop(self) -> None:
        """There is nothing to end."""


class Quiet(Collector):
    """Samples that an event announces."""

    name = "quiet"
    families = ()

    def collect(self):
        """Return none."""
        return ()


class Growing(Quiet):
    """Samples that change all the time."""

    @property
    @override
    def is_quiet(self) -> bool:
        """They do."""
        return False


class Failing(Quiet):
    """Samples that can't be read."""

    def collect(self):
        """Raise an error."""
        raise OSError("unavailable")


def quiet(*collectors: Collector, announcements: Announcements | None) -> bool:
    poller = Poller("prefect", collectors, 5.0, announcements)
    assert not poller.is_quiet(), "before the first poll"
    poller.poll()
    return poller.is_quiet()


def test_it_polls_rarely_only_while_changes_are_announced_and_nothing_is_in_progress():
    connected, lost = Announcements(), Announcements()
    lost.connected = False
    assert quiet(Quiet(), announcements=connected)
    assert not quiet(Quiet(), announcements=lost)
    assert not quiet(Quiet(), announcements=None)
    assert not quiet(Quiet(), Growing(), announcements=connected)
    assert not quiet(Quiet(), Failing(), announcements=connected)


def test_a_run_in_progress_is_not_quiet(prefect_server):
    with seeder(prefect_server.api_url) as seeded:
        seeded.run("still running")
        api = PrefectApi()
        runs = ActiveRuns(api, CachedList(api, "work_pools"))
        list(runs.collect())
        assert not runs.is_quiet
