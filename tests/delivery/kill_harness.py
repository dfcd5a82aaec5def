"""Kill a real sender at a chosen stage, let others finish, and count what was lost and doubled.

``drill(stage, ...)`` works for every domain, because all of them send through the one engine. Its results
make a table of what was lost and doubled.
"""

import socket
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from typing import NamedTuple

from sqlalchemy import text

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import deliver_due
from analytics_worker.delivery.message import Domain
from analytics_worker.settings import settings
from tests.support.deliveries import (
    Deliveries,
    email_recipient,
    open_report,
    sender,
    webhook_recipient,
)
from tests.support.http_sink import HttpSink
from tests.support.smtp_sink import SmtpSink
from tests.support.wait_until import wait_until

MESSAGES = 3


class Drilled(NamedTuple):
    """How a drill ended."""

    lost: int
    doubled: int
    strangers: int
    """Return arrivals with an id that was not enqueued."""


@dataclass
class Rig:
    """One domain with three messages due, the sink that they go to, and what arrived."""

    domain: Domain
    deliveries: Deliveries
    smtp: SmtpSink
    http: HttpSink
    context: ForkServerContext
    set_variable: Callable[[str, str], None]
    keys: list[str] = field(default_factory=list[str])
    reached: threading.Event = field(default_factory=threading.Event)
    """What a sink reports when the sender is at the stage."""

    @property
    def by_mail(self) -> bool:
        return self.domain == "reports"

    @property
    def sink(self) -> SmtpSink | HttpSink:
        return self.smtp if self.by_mail else self.http

    def fill(self) -> None:
        for number in range(MESSAGES):
            key = f"<{self.domain}{number}@test>" if self.by_mail else f"{self.domain}{number}"
            to, files = (
                (email_recipient(f"r{number}"), ["sales.csv"])
                if self.by_mail
                else (webhook_recipient(), [])
            )
            self.deliveries.add(to, key=key, domain=self.domain, files=files)
            self.keys.append(key)

    def arrived(self) -> Counter[str]:
        return Counter(self.smtp.ids() if self.by_mail else self.http.keys())

    def sent(self) -> int:
        return self.deliveries.statuses().count("sent")

    def is_waiting(self, statement: str) -> bool:
        """Whether a sender waits for a lock with a statement like this."""
        return bool(
            self.deliveries.run(
                "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
                " and datname = current_database() and query like :like",
                like=f"%{statement}%",
            )
        )


Stage = Callable[[Rig, ExitStack], None]


def drill(stage: str, rig: Rig) -> Drilled:
    """Kill a sender at a stage; deliver in later runs; count."""
    rig.fill()
    prepare, reach = STAGES[stage]
    with ExitStack() as held:
        prepare(rig, held)
        renew = 0.1 if stage == "while renewing its lease" else 60
        with sender(rig.context, rig.domain, renew_seconds=renew) as process:
            reach(rig, held)
            process.kill()
            process.join()
    return finish(rig)


def finish(rig: Rig) -> Drilled:
    """Let later senders do the rest.

    PostgreSQL takes a moment to see that a killed sender has ended. Until then its messages are not claimed.
    """
    rig.set_variable("DELIVERY_RATES", "")
    settings.cache_clear()

    def all_sent() -> bool:
        deliver_due(rig.domain, open_attachment=open_report)
        return rig.deliveries.statuses() == ["sent"] * MESSAGES

    wait_until(all_sent, timeout=60)
    arrived = rig.arrived()
    known = {key: arrived[key] for key in rig.keys}
    return Drilled(
        lost=sum(not count for count in known.values()),
        doubled=sum(max(count - 1, 0) for count in known.values()),
        strangers=len(arrived.keys() - known.keys()),
    )


def _nothing(_rig: Rig, _held: ExitStack) -> None:
    """Prepare nothing."""


def _hide_the_sink(rig: Rig, held: ExitStack) -> None:
    rig.sink.stop()
    held.callback(rig.sink.start)
    held.enter_context(_full_backlog(rig.sink.host, rig.sink.port))


@contextmanager
def _full_backlog(host: str, port: int) -> Generator[None]:
    """Listen, so that connecting neither succeeds nor fails."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((host, port))
        yield


def _until_claimed(rig: Rig, _held: ExitStack) -> None:
    wait_until(lambda: rig.deliveries.statuses() == ["sending"] * MESSAGES, timeout=90)


def _hold_connections(rig: Rig, held: ExitStack) -> None:
    rig.reached = held.enter_context(rig.sink.pausing_connections())


def _hold_second_answer(rig: Rig, held: ExitStack) -> None:
    rig.reached = held.enter_context(rig.sink.pausing_answer(to=2))


def _until_reached(rig: Rig, _held: ExitStack) -> None:
    wait_until(rig.reached.is_set, timeout=90)


def _until_settling(rig: Rig, held: ExitStack) -> None:
    _until_reached(rig, held)
    _lock(held)
    rig.sink.release()
    wait_until(lambda: rig.is_waiting("delivery_settle"), timeout=60)


def _until_renewing(rig: Rig, held: ExitStack) -> None:
    _until_reached(rig, held)
    _lock(held)
    wait_until(lambda: rig.is_waiting("set lease_until"), timeout=60)


def _lock(held: ExitStack) -> None:
    connection = held.enter_context(warehouse())
    connection.execute(text("lock table ops.deliveries in share mode"))


def _until_one_is_sent(rig: Rig, _held: ExitStack) -> None:
    wait_until(rig.sent, timeout=90, interval=0.001)


def _limit_the_rate(rig: Rig, _held: ExitStack) -> None:
    channel = "email" if rig.by_mail else "webhook"
    rig.set_variable("DELIVERY_RATES", f"{channel}=1/m")
    settings.cache_clear()


STAGES: dict[str, tuple[Stage, Stage]] = {
    "claimed, not connected": (_hide_the_sink, _until_claimed),
    "connected": (_hold_connections, _until_reached),
    "receiver has it, no answer yet": (_hold_second_answer, _until_reached),
    "receiver said yes, not settled": (_hold_second_answer, _until_settling),
    "while renewing its lease": (_hold_second_answer, _until_renewing),
    "between two messages": (_nothing, _until_one_is_sent),
    "while waiting for the rate": (_limit_the_rate, _until_one_is_sent),
}


def table(results: dict[tuple[str, str], Drilled]) -> str:
    """Return the results as a Markdown table."""
    domains = sorted({domain for _, domain in results})
    lines = ["| killed | " + " | ".join(domains) + " |", "|---" * (len(domains) + 1) + "|"]
    for stage in STAGES:
        found = [results.get((stage, domain)) for domain in domains]
        cells = [f"{each.lost} lost, {each.doubled} doubled" if each else "" for each in found]
        lines.append(f"| {stage} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
