"""A private PostgreSQL 18 from a wheel: one directory, one unix socket, no other way in.

Writes only below its directory (and, when that path is too long for a unix socket, one private
directory for the socket, removed at the end). Starting again is safe: what a killed server left is
cleared, and a running one is never touched.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from functools import cached_property
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

import psycopg2

from analytics_worker.stack.errors import StackError
from analytics_worker.stack.postgres.account import Account, choose_account, environment
from analytics_worker.stack.postgres.cluster import DATABASE, OWNER, SUPERUSER, Cluster

MAX_SOCKET_PATH_BYTES = 107  # bytes in sockaddr_un.sun_path, without the final zero
SOCKET_NAME = ".s.PGSQL.5432"
PROCESS_BYTES = 1024 * 1024 * 1024
"""Address space of each session: one value may have 1 GB, and a statement holds it several times."""
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # part of the socket's name
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "wal_level": "minimal",  # nothing replicates from here, and bulk loads skip the log
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",  # no process that waits for subscriptions
    "io_method": "sync",  # no processes that read ahead: its files are in the kernel's cache
    "client_connection_check_interval": "1s",  # a killed client's query ends, too
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a ",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """A PostgreSQL that only the owner of its directory can connect to.

    Use it as a context manager, or give `prepare`, `command` and `is_ready` to a supervisor.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir.resolve()
        self.log_file = self.data_dir / "postgres.log"
        self._durable = durable
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """URL of the analytics database for the role that owns it (no superuser)."""
        return self._url(OWNER, DATABASE)

    @property
    def superuser_url(self) -> str:
        """URL for administration: making databases, ending other people's sessions."""
        return self._url(SUPERUSER, SUPERUSER)

    def start(self, timeout_seconds: float = 60) -> None:
        """Start the server and return when it accepts connections."""
        self.prepare()
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment(),
                cwd=self.account.directory,
            )
        deadline = time.monotonic() + timeout_seconds
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise StackError(f"PostgreSQL did not start: see {self.log_file}.")
            time.sleep(0.02)

    def stop(self, timeout_seconds: float = 10) -> None:
        """Shut down fast: sessions are ended, data is written, nothing committed is lost."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait()
            self._process = None
        self.release()

    def prepare(self) -> None:
        """Take the directory, clear what a killed server left, make the cluster if missing."""
        self._acquire_lock()
        self.cluster.end_orphans()
        self.cluster.create()
        self.account.make_directory(self.socket_directory)
        # with the lock held and orphans ended, no server uses them; after a reboot another process can have the id
        for leftover in self.socket_directory.glob(".s.PGSQL.*"):
            leftover.unlink()

    def command(self) -> list[str]:
        """Command line of the server; it shuts down when the process that started it dies."""
        socket = str(self.socket_directory).replace('"', '""')
        options = SETTINGS | {"unix_socket_directories": f'"{socket}"'}
        options |= {} if self._durable else NOT_DURABLE
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        arguments = ["-D", str(self.cluster.path), *arguments]
        return self.account.command("postgres", *arguments, memory_bytes=PROCESS_BYTES)

    def is_ready(self) -> bool:
        """Whether the server accepts connections."""
        try:
            psycopg2.connect(
                host=str(self.socket_directory),
                user=OWNER,
                password=self.cluster.password(OWNER),
                dbname=DATABASE,
                connect_timeout=5,
            ).close()
        except psycopg2.OperationalError:
            return False
        return True

    def release(self) -> None:
        """Let others have the directory; remove the socket's directory if it is not inside."""
        with contextlib.suppress(FileNotFoundError):
            place = Path(self._record.read_text())
            if _is_private(place):
                shutil.rmtree(place)
            self._record.unlink()
        self.__dict__.pop("socket_directory", None)
        if self._lock:
            self._lock.close()
            self._lock = None

    @cached_property
    def account(self) -> Account:
        """The account that runs the server, and its directory; determined once."""
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.data_dir.chmod(0o700)
        except OSError as error:
            message = f"{self.data_dir}: {error.strerror}. Set STATE_DIR to a folder of yours."
            raise StackError(message) from None
        return choose_account(self.data_dir)

    @cached_property
    def cluster(self) -> Cluster:
        """The files of this server."""
        return Cluster(self.account, self.data_dir, self._durable)

    @cached_property
    def socket_directory(self) -> Path:
        """Directory of the unix socket: in the cluster's folder, or a short private one if that path is too long."""
        ours = self.account.directory / "socket"
        fits = len(os.fsencode(ours / SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES
        if fits and "," not in str(ours):  # libpq reads a comma as two hosts
            return ours
        with contextlib.suppress(FileNotFoundError):
            place = Path(self._record.read_text())
            if _is_private(place):
                return place
        place = self._short_directory()
        self._record.write_text(str(place))
        return place

    def _short_directory(self) -> Path:
        """Make a private directory of the same name at every start, unless another user owns it.

        The name is a part of the URL, which is stored in a block and which people note.
        """
        identity = f"{self.data_dir.resolve()} {self.data_dir.stat().st_ino}"
        name = hashlib.sha256(os.fsencode(identity)).hexdigest()[:12]
        place = Path(tempfile.gettempdir()) / f"analytics-worker-{name}"
        with contextlib.suppress(FileExistsError):
            place.mkdir(mode=0o700)
        return place if _is_private(place) else Path(tempfile.mkdtemp(prefix="analytics-worker-"))

    @property
    def _record(self) -> Path:
        return self.data_dir / "socket-directory"

    def _acquire_lock(self) -> None:
        """Lock the directory against other starters until this process ends."""
        if self._lock is not None:
            return
        lock = (self.account and self.data_dir / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            message = f"PostgreSQL is already running in {self.data_dir}: stop it first (Ctrl-C)."
            raise StackError(message) from None
        self._lock = lock

    def _url(self, role: str, database: str) -> str:
        """Return the URL as SQLAlchemy writes it, which takes 17 MB, but with spaces as %20, as libpq reads it."""
        password = quote(self.cluster.password(role), safe="")
        host = quote(str(self.socket_directory), safe="")
        return f"postgresql+psycopg2://{role}:{password}@/{database}?host={host}"


def _is_private(place: Path) -> bool:
    """Whether only this user could have created or entered this directory."""
    with contextlib.suppress(OSError):
        status = place.lstat()
        return status.st_uid == os.geteuid() and status.st_mode == stat.S_IFDIR | stat.S_IRWXU
    return False
