"""Play nights of the story: ``player FOLDER NIGHTS`` writes the messages of each night to ``FOLDER/arrived.json``.

A process of its own, because its clock and those of its children are moved: PostgreSQL, Prefect's server and dbt.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from prefect import get_client
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

from analytics_worker.deployment.deploy import deploy, desired_state
from analytics_worker.migrations import upgrade
from analytics_worker.settings import project_root, settings
from flows.alerts.evaluation.runner import evaluate_due
from flows.alerts.rules.sync import sync as sync_rules
from flows.alerts.rules.yaml_files import load as load_rules
from flows.monitoring.incidents.commands import acknowledge
from flows.reports.definitions.sync import sync as sync_reports
from flows.reports.definitions.yaml_files import load as load_reports
from tests.acceptance.fourteen_nights.clock import MovedClock, instant
from tests.acceptance.fourteen_nights.events import CREATE, EVENTS, HOURS, VISITS
from tests.acceptance.fourteen_nights.project import use_definitions, write_files
from tests.acceptance.fourteen_nights.received import Arrived, Mailbox
from tests.acceptance.fourteen_nights.routine import ROUTINE, Routine
from tests.acceptance.fourteen_nights.story import NIGHTS, USUAL, Night
from tests.support.postgres_versions import server_of_tests
from tests.support.sql import execute, query

FIRST_DAY, EVE = "2026-09-20", "2026-10-18"
_started = time.monotonic()


def log(text: str) -> None:
    """Print a line with the seconds since the start, for the output of a failed test."""
    print(f"{time.monotonic() - _started:6.1f} {text}", flush=True)  # noqa: T201


class Player:
    """The user's world, and the clock that it lives by."""

    def __init__(self, folder: Path, mailbox: Mailbox, routine: Routine) -> None:
        """Start on the first day, with an empty warehouse."""
        self._folder, self._mailbox, self._routine = folder, mailbox, routine
        self._clock = MovedClock()

    def learn(self) -> None:
        """Live four weeks, of which the rules keep samples, and load six weeks of data."""
        happen(CREATE)
        happen(VISITS)
        sync_rules(load_rules(self._folder / "definitions"))
        days = query(
            "select d::date::text from generate_series(cast(:first as date), cast(:eve as date), '1 day') as d",
            first=FIRST_DAY,
            eve=EVE,
        )
        for day in days:
            self._clock.move_to(instant(day, "20:05"))
            evaluate_due(["alert"])
        self._clock.move_to(instant(EVE, "21:00"))
        happen(EVENTS["six weeks of data"], day=EVE, since="2026-09-01", first=6, last=21)
        self._do(EVE, "build")
        sync_reports(load_reports(self._folder / "definitions"))
        self._do(EVE, "watch")

    def play(self, night: Night) -> list[Arrived]:
        """Live one day; return the messages of it."""
        arrived: list[Arrived] = []
        steps = {**USUAL, **night.events}
        for at in sorted(steps, key=lambda each: instant(night.day, each)):
            self._clock.move_to(instant(night.day, at))
            for step in steps[at]:
                log(f"{night.day} {at} {step}")
                self._do(night.day, step)
            arrived += self._mailbox.take(at)
        return arrived

    def rest(self) -> list[Arrived]:
        """Return what arrived before the first night."""
        return self._mailbox.take("before")

    def _do(self, day: str, step: str) -> None:
        if step in ROUTINE:
            for name in ROUTINE[step]:
                self._routine.run(name)
        elif step == "Bob acknowledges":
            ids = query("select id::text from ops.incidents where cause_name = 'analytics.codes'")
            acknowledge(ids[0], "bob@example.com")
        elif step == "monitoring is killed while it notifies Bob":
            self._kill_monitoring()
        else:
            self._happen(day, step)

    def _happen(self, day: str, event: str) -> None:
        first, last = HOURS.get(event, (6, 21))
        values = {"day": day, "since": _day_before(day), "first": first, "last": last}
        statement = EVENTS[event]
        happen(
            statement, **{name: each for name, each in values.items() if f":{name}" in statement}
        )

    def _kill_monitoring(self) -> None:
        """Kill the process that updates the incidents when the mail server is about to greet it."""
        variables = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
        with self._mailbox.mail.pausing_connections() as waits:
            command = [sys.executable, "-m", f"{__package__}.killed", str(self._folder)]
            child = subprocess.Popen(command, env=variables)
            assert waits.wait(60), "it sent nothing"
            child.kill()
            child.wait()


def _day_before(day: str) -> str:
    return query("select (cast(:day as date) - 1)::text", day=day)[0]


def happen(statement: str, **values: object) -> None:
    """Change the user's data; the counters of the tables show it at once."""
    execute(f"{statement}; select pg_stat_force_next_flush()", **values)


@contextmanager
def world(folder: Path) -> Generator[Player]:
    """Start the servers and sinks, and point the settings at them."""
    write_files(folder)
    use_definitions(folder)
    with ExitStack() as stack:
        postgres = stack.enter_context(server_of_tests(folder / "postgres"))
        mailbox = Mailbox()
        mailbox.start()
        stack.callback(mailbox.stop)
        os.environ |= mailbox.variables() | {
            "DATABASE_URL": postgres.url,
            "STATE_DIR": str(folder / "state"),
            "DBT_PROJECT_PATH": str(folder / "dbt"),
        }
        settings.cache_clear()
        upgrade(postgres.url, sample=True)
        stack.enter_context(prefect_test_harness(server_startup_timeout=120))
        stack.enter_context(temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}))
        client = stack.enter_context(get_client(sync_client=True))
        deploy(desired_state(), client)
        yield Player(folder, mailbox, Routine(client, log))


def main(arguments: Sequence[str]) -> None:
    """Play the first nights."""
    folder, count = Path(arguments[0]), int(arguments[1])
    with world(folder) as player:
        player.learn()
        log("the story begins")
        nights = {"before": player.rest()}
        for night in NIGHTS[:count]:
            nights[night.day] = player.play(night)
            log(f"{night.day} {[each[:3] for each in nights[night.day]]}")
    (folder / "arrived.json").write_text(json.dumps(nights))


if __name__ == "__main__":
    os.chdir(project_root())
    main(sys.argv[1:])
