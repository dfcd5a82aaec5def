"""The login of the Prefect server: whether it requires one, and the file with it.

Writes ``login`` (mode 600) into the state folder, once; later starts use the same login. Without one,
every client of the API can run commands as the worker's user (SECURITY.md).
"""

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from analytics_worker.disk_problems import named_disk_errors
from analytics_worker.host_port import Authority, is_loopback
from analytics_worker.server_login import VARIABLE as SERVER_VARIABLE
from analytics_worker.server_login import login_problem
from analytics_worker.settings import settings, user_variables
from analytics_worker.stack.accounts import other_accounts
from analytics_worker.stack.environment import api_port, listen_host
from analytics_worker.stack.errors import StackError
from analytics_worker.stack_address import login_file

USER = "admin"
SHOWN_ACCOUNTS = 3
NO_LOGIN = "The server requires no login; SERVER_LOGIN=on turns it on."
UNENCRYPTED = "Login and data are not encrypted unless a TLS proxy is in front of the server."
OVERRIDES = (
    "WORKER_ALLOW_JOB_OVERRIDES=on: any caller of the API chooses the commands, environments and"
    " code of runs (docs/decisions/job-overrides.md)."
)
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Login:
    """``user:password``, why there is one, and the file that it is kept in unless the user set it."""

    secret: str
    reason: str
    file: Path | None = None

    def __str__(self) -> str:
        """Return the path of the login, never the login."""
        where = f"`cat '{self.file}'` shows it" if self.file else f"{SERVER_VARIABLE} has it"
        return f"needed, {self.reason}; {where}"

    def __repr__(self) -> str:
        return f"Login({self})"


def choose_login() -> Login | None:
    """Return the login that the server requires; None if it requires none.

    Raises:
        StackError: the server would listen beyond this host without one, or the file can't be trusted.
    """
    given = user_variables().get(SERVER_VARIABLE)
    if given is not None:
        _check(given)
        return Login(given, "as you set it")
    reason = _reason()
    return Login(_stored(login_file()), reason, login_file()) if reason else None


def _check(given: str) -> None:
    problem = login_problem(given)
    if problem:
        without = ", or no such variable" if not given else ""
        raise StackError(f"{SERVER_VARIABLE} {problem}{without}.")


def _reason() -> str | None:
    mode, host = settings().server_login, listen_host()
    beyond = not is_loopback(host)
    if mode == "off" and beyond:
        raise StackError(
            f"SERVER_LOGIN=off and PREFECT_SERVER_API_HOST={host}: other hosts would reach the API and"
            " run commands as this user. Set SERVER_LOGIN=auto, or listen on 127.0.0.1."
        )
    if mode == "off":
        return None
    if beyond:
        return f"because it listens on {host}"
    return "because SERVER_LOGIN=on" if mode == "on" else _other_accounts_reason()


def _other_accounts_reason() -> str | None:
    others = _shown_accounts()
    return f"because this machine has other people's accounts ({others})" if others else None


def _shown_accounts() -> str:
    others = other_accounts()
    more = " …" if len(others) > SHOWN_ACCOUNTS else ""
    return ", ".join(others[:SHOWN_ACCOUNTS]) + more


def _stored(file: Path) -> str:
    """The login in the file, which is made if there is none."""
    folder = file.parent
    if folder.stat().st_mode & WRITABLE_BY_OTHERS:
        raise StackError(
            f"{folder} can be written by other accounts, so they could replace the server's login:"
            f" run chmod 700 '{folder}', or set STATE_DIR to a folder of yours."
        )
    if not os.path.lexists(file):
        with named_disk_errors(folder):
            _write(file, f"{USER}:{secrets.token_urlsafe(24)}\n")
    return _read(file)


def _write(file: Path, text: str) -> None:
    unfinished = file.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
    with os.fdopen(os.open(unfinished, flags, 0o600), "w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    unfinished.replace(file)


def _read(file: Path) -> str:
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)) as opened:
            found = os.fstat(opened.fileno())
            private = stat.S_ISREG(found.st_mode) and not found.st_mode & OPEN_TO_OTHERS
            own = found.st_uid == os.geteuid()
            text = opened.read(1000).strip() if private and own else ""
    except (OSError, UnicodeDecodeError):
        text = ""
    if login_problem(text) or not text.isprintable():
        raise StackError(
            f"{file} is not a valid login; expected one line user:password in a file that only you can"
            " read (mode 600): delete it, and the next start makes a new one."
        )
    return text


def access_notes(login: Login | None) -> list[str]:
    """Return the lines that `make up` prints about who can run commands."""
    account = "root" if os.geteuid() == 0 else "this user"
    others = "" if login else _shown_accounts()
    reached = f" Other accounts of this machine can reach it: {others}." if others else ""
    who = "has the login" if login else "reaches the API without a login"
    lines = [f"Login {login}."] if login else [NO_LOGIN + reached]
    return [
        *lines,
        f"Anyone who {who} runs commands as {account} (SECURITY.md).",
        *_listening_note(),
        *_overrides_note(),
    ]


def _listening_note() -> list[str]:
    host = listen_host()
    if is_loopback(host):
        return []
    return [f"The server listens on {Authority(host, api_port())}. {UNENCRYPTED}"]


def _overrides_note() -> list[str]:
    return [OVERRIDES] if settings().worker_allow_job_overrides else []
