"""Report to systemd that a service is ready and alive, where the unit asks for it (sd_notify).

Reads NOTIFY_SOCKET and WATCHDOG_USEC, which systemd sets for services of `Type=notify`; without them nothing is
sent. Sends one datagram per report and never waits: a report that is not delivered is like a missing one.
"""

import os
import socket
from contextlib import suppress

from analytics_worker.settings import user_variables

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"
DEFAULT_SECONDS = 10.0
"""How often a process reports that it is alive if systemd does not ask for it more often."""


def notify(*states: str) -> None:
    """Send states such as `READY`; nothing happens unless systemd started this process itself."""
    address = user_variables().get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # of the abstract namespace
        address = f"\0{address[1:]}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.setblocking(False)
        channel.sendto("\n".join(states).encode(), address)


def report_seconds() -> float:
    """Return how often to report `ALIVE`: three times within WatchdogSec of this process's unit."""
    variables = user_variables()
    microseconds = variables.get("WATCHDOG_USEC", "")
    is_ours = variables.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    if not (microseconds.isdecimal() and int(microseconds) and is_ours):
        return DEFAULT_SECONDS
    return min(DEFAULT_SECONDS, int(microseconds) / 3_000_000)
