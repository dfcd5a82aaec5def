"""Keep breaker state in one SQLite file, shared by all processes of a host.

Reads and writes ``breakers.sqlite``. A call through a closed breaker costs one indexed read. Every
other step is one short write transaction, so it is atomic across threads, forks and kills.
"""

import os
import sqlite3
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from analytics_worker.breakers import state_machine
from analytics_worker.breakers.failure_limits import Limits
from analytics_worker.breakers.state_machine import (
    STATE_CLOSED,
    Permit,
    Record,
    Refusal,
    StateChange,
    StoreUnreachableError,
)
from analytics_worker.private_folder import create_private

BUSY_TIMEOUT_SECONDS = 2.0
FILE_CHECK_SECONDS = 1.0

T = TypeVar("T")


@cache
def _sql(name: str) -> str:
    return Path(__file__).with_name("sql").joinpath(f"{name}.sql").read_text()


@dataclass
class _Connections:
    """The connections of one process to one file; a connection is used by one thread at a time."""

    process: int = field(default_factory=os.getpid)
    file: tuple[int, int] | None = None
    checked_at: float = 0.0
    idle: deque[sqlite3.Connection] = field(default_factory=deque[sqlite3.Connection])
    opened: list[sqlite3.Connection] = field(default_factory=list[sqlite3.Connection])


class SqliteStore:
    """A store in a file, which is opened at the first step."""

    kind = "sqlite"

    def __init__(self, path: Path) -> None:
        """Set the path of the file; its folder is created on first use."""
        self.path = path
        self._connections = _Connections()
        self._inherited: list[_Connections] = []

    def __str__(self) -> str:
        """Return the file's path, for messages."""
        return f"SQLite file {self.path}"

    def acquire(self, name: str, limits: Limits) -> Permit | Refusal:
        """Request a permit for one call."""
        state, generation, failures = self._admission(name)
        if state == STATE_CLOSED:
            return Permit(self, generation, None, failures > 0)
        with self._transaction() as connection:
            record = _load(connection, name)
            next_record, answer = state_machine.acquire(
                record, limits, uuid.uuid4().hex, time.time(), self
            )
            _save(connection, name, next_record)
        return answer

    def succeed(self, name: str, limits: Limits, permit: Permit) -> StateChange:
        """Record a successful call."""
        return self._step(name, lambda record: state_machine.succeed(record, limits, permit))

    def fail(self, name: str, limits: Limits, permit: Permit, error: str) -> StateChange:
        """Record a failed call."""
        return self._step(
            name, lambda record: state_machine.fail(record, limits, permit, error, time.time())
        )

    def release(self, name: str, permit: Permit) -> None:
        """End a permit without counting a result."""
        self._step(name, lambda record: state_machine.release(record, permit))

    def count_successes(self, name: str, count: int) -> None:
        """Add successful calls that changed no state."""
        self._step(
            name, lambda record: replace(record, successes_total=record.successes_total + count)
        )

    def force(self, name: str, state: str, reset_timeout: float) -> StateChange:
        """Set the breaker's state by an operator's decision."""
        return self._step(
            name, lambda record: state_machine.force(record, state, reset_timeout, time.time())
        )

    def load(self, name: str) -> Record:
        """Return the breaker's record."""
        with self._connection() as connection:
            return _load(connection, name)

    def load_all(self) -> dict[str, Record]:
        """Return the records of all breakers, by name."""
        with self._connection() as connection:
            rows = connection.execute(_sql("load_all")).fetchall()
        return {row[0]: Record(*row[1:]) for row in rows}

    def check(self) -> None:
        """Prove that the file can be written."""
        with self._transaction() as connection:
            connection.execute(_sql("check"), (time.time(),))

    def _admission(self, name: str) -> tuple[str, int, int]:
        """Return state, generation and failures. Every guarded call needs them, so this is fast."""
        connections = self._process_connections()
        try:
            connection = connections.idle.pop()
        except IndexError:
            connection = self._open(connections)
        try:
            row = connection.execute(_sql("admission"), (name,)).fetchone()
        except sqlite3.Error as error:
            raise self._unreachable(error) from error
        connections.idle.append(connection)
        return row or (STATE_CLOSED, 0, 0)

    def _step(self, name: str, next_record: Callable[[Record], Record]) -> StateChange:
        with self._transaction() as connection:
            before = _load(connection, name)
            after = next_record(before)
            if after is not before:
                _save(connection, name, after)
        return StateChange(before.state, after.state)

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._connection() as connection:
            try:  # an interrupt right after BEGIN must not leave the file locked
                connection.execute("begin immediate")
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def _connection(self) -> Generator[sqlite3.Connection]:
        connections = self._process_connections()
        try:
            connection = connections.idle.pop()
        except IndexError:
            connection = self._open(connections)
        try:
            yield connection
        except sqlite3.Error as error:
            raise self._unreachable(error) from error
        connections.idle.append(connection)

    def _unreachable(self, error: Exception) -> StoreUnreachableError:
        self._connections = _Connections()  # the next step opens the file again
        return StoreUnreachableError(f"{self}: {error}")

    def _process_connections(self) -> _Connections:
        """Return connections that were opened by this process, to the file as it is now."""
        connections = self._connections
        if connections.process != os.getpid():
            self._inherited.append(connections)  # even closing them here could harm the parent
            connections = self._connections = _Connections()
        elif time.monotonic() - connections.checked_at > FILE_CHECK_SECONDS:
            connections.checked_at = time.monotonic()
            if connections.file != self._file():
                connections = self._connections = _Connections()
        return connections

    def _file(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _open(self, connections: _Connections) -> sqlite3.Connection:
        try:
            create_private(self.path.parent)
            connection = _connect(self.path)
        except (sqlite3.Error, OSError) as error:
            raise self._unreachable(error) from error
        connections.file = self._file()
        connections.opened.append(connection)
        return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
    )
    with suppress(sqlite3.OperationalError):  # another process is switching it; the file remembers
        connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")
    connection.executescript(_sql("schema"))
    return connection


def _load(connection: sqlite3.Connection, name: str) -> Record:
    row = connection.execute(_sql("load"), (name,)).fetchone()
    return Record(*row) if row else Record()


def _save(connection: sqlite3.Connection, name: str, record: Record) -> None:
    connection.execute(_sql("save"), (name, *astuple(record)))
