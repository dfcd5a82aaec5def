"""The files of the embedded PostgreSQL: made once, complete or not at all.

Writes ``cluster`` below the account's directory and ``*.password`` (mode 600) beside it. Safe to
repeat: an existing cluster and existing passwords are kept, an unfinished cluster is made again.
"""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from analytics_worker.stack.errors import StackError
from analytics_worker.stack.postgres.account import Account, environment

SUPERUSER = "postgres"
OWNER = "analytics"
DATABASE = "analytics"
TEMPLATE = "template1"
CREATE_OWNER = Path(__file__).parent / "sql/create_owner.sql"


@dataclass(frozen=True)
class Cluster:
    """A data directory of PostgreSQL, and the passwords of its two roles."""

    account: Account
    data_dir: Path
    durable: bool

    @property
    def path(self) -> Path:
        """PostgreSQL's data directory."""
        return self.account.directory / "cluster"

    def password(self, role: str) -> str:
        """The role's password, generated on first use."""
        path = self.data_dir / f"{role}.password"
        if not path.exists():
            with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
                file.write(secrets.token_hex(24))
        return path.read_text()

    def create(self) -> None:
        """Make the cluster, its owner role and database, unless it exists."""
        if self.path.exists():
            return
        unfinished = self.path.with_name("cluster.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        options = ["--auth-local=peer", "--auth-host=reject", f"--username={SUPERUSER}"]
        options += ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        options += [] if self.durable else ["--no-sync"]
        self._run("initdb", "-D", str(unfinished), *options)
        (unfinished / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        self._run("postgres", "--single", "-j", "-D", str(unfinished), TEMPLATE, stdin=self._sql())
        unfinished.rename(self.path)

    def processes(self) -> Iterator[psutil.Process]:
        """Everything of PostgreSQL that runs on this cluster, including those that another process started."""
        for process in psutil.process_iter(["name", "cwd"]):
            if process.info["name"] == "postgres" and process.info["cwd"] == str(self.path):
                yield process

    def end_orphans(self) -> None:
        """End what still runs here after the process that started it has ended."""
        pid_file = self.path / "postmaster.pid"
        if not pid_file.exists():
            return
        left = list(self.processes())
        for process in (p for p in left if f"{p.pid}" == pid_file.read_text().split("\n")[0]):
            process.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs(left, timeout=10)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=10)
        pid_file.unlink(missing_ok=True)

    def _sql(self) -> str:
        """The role's statements; single-user mode has no parameters, and the passwords are hexadecimal."""
        sql = CREATE_OWNER.read_text()
        sql = sql.replace(":superuser_password", f"'{self.password(SUPERUSER)}'")
        return sql.replace(":owner_password", f"'{self.password(OWNER)}'")

    def _run(self, program: str, *arguments: str, stdin: str = "") -> None:
        done = subprocess.run(
            self.account.command(program, *arguments),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=environment(),
            cwd=self.account.directory,
        )
        if done.returncode or "ERROR:" in done.stderr:
            lines = (done.stderr or done.stdout).strip().splitlines() or [str(done.returncode)]
            reason = next((line for line in lines if "ERROR:" in line), lines[-1])
            raise StackError(f"{program} failed in {self.data_dir}: {reason}")
