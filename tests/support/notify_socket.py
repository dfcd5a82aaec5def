"""The socket of systemd that services report to, with what they reported."""

import socket
from pathlib import Path
from typing import Self

WATCHDOG_MICROSECONDS = 1_500_000


class NotifySocket:
    """Receives the reports of one service."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._states: list[str] = []

    @property
    def variables(self) -> dict[str, str]:
        """What systemd sets for the service."""
        return {"NOTIFY_SOCKET": str(self._path), "WATCHDOG_USEC": str(WATCHDOG_MICROSECONDS)}

    def __enter__(self) -> Self:
        self._socket.bind(str(self._path))
        self._socket.setblocking(False)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def states(self) -> list[str]:
        """All reports up to now."""
        while True:
            try:
                self._states += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self._states

    def is_ready_and_alive(self) -> bool:
        """Whether the service has reported that it is ready, and then several times that it is alive."""
        states = self.states()
        return "READY=1" in states and states.count("WATCHDOG=1") > 2
