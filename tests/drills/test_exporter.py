"""Five hundred runs, four kills of the exporter, a restart of the server: counters equal the database."""

import signal
import threading
from itertools import cycle, islice
from pathlib import Path

from tests.support.exporter_process import exporter_of
from tests.support.processes import Server
from tests.support.seeded_runs import WAYS, Seeder, in_database, seeder
from tests.support.wait_until import wait_until

RUNS, KILLS, PARTS = 500, 4, 5


def test_counters_equal_the_database_after_kills_and_a_restart(tmp_path: Path):
    with (
        Server(tmp_path / "server") as server,
        seeder(server.api_url) as seeded,
        exporter_of(tmp_path, server.api_url) as exporter,
    ):
        for part in range(PARTS):
            seeding = threading.Thread(target=seed, args=(seeded, part))
            seeding.start()
            if part < KILLS:
                already = sum(exporter.counted(seeded.flow)["flow runs"].values())
                wait_until(lambda n=already: has_more(exporter, seeded.flow, n), 120)
                exporter.end(signal.SIGKILL)
                exporter.begin()
            seeding.join()
            if part == 1:
                server.end(signal.SIGKILL)
                server.start()
        expected = in_database(server.home, seeded.flow)
        assert sum(expected["flow runs"].values()) > RUNS
        wait_until(lambda: exporter.counted(seeded.flow) == expected, 120, 0.5)
        for run in seeded.made[:100]:
            seeded.delete(run)
        exporter.end(signal.SIGKILL)
        exporter.begin()
        wait_until(lambda: exporter.samples("exporter_up") == {(): 1.0}, 60)
        assert exporter.counted(seeded.flow) == expected


def seed(seeded: Seeder, part: int) -> None:
    number = RUNS // PARTS
    for way in islice(cycle(WAYS), part * number, (part + 1) * number):
        seeded.made.append(seeded.run(way))


def has_more(exporter, flow: str, number: int) -> bool:
    return sum(exporter.counted(flow)["flow runs"].values()) > number
