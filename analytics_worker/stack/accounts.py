"""Other people's accounts on this machine: each of them can reach a server that listens on loopback.

Reads the account database and /etc/login.defs; writes nothing. Accounts of a directory service are
seen as far as it lists them.
"""

import os
import pwd
import re
from collections.abc import Iterable
from pathlib import Path

from analytics_worker.stack.postgres.account import SYSTEM_USER

LOGIN_DEFS = Path("/etc/login.defs")
DEFAULT_UID_RANGE = {"UID_MIN": 1000, "UID_MAX": 60_000}
NO_LOGIN = frozenset({"nologin", "false", "true", "sync", "halt", "shutdown"})


def other_accounts() -> list[str]:
    """Names of the accounts that other people can log in to."""
    return login_accounts(pwd.getpwall(), os.geteuid(), uid_range())


def login_accounts(entries: Iterable[pwd.struct_passwd], own: int, uids: range) -> list[str]:
    """Return the accounts of other persons that have a login shell."""
    return sorted(
        {
            entry.pw_name
            for entry in entries
            if entry.pw_uid in uids and entry.pw_uid != own and _can_log_in(entry)
        }
    )


def _can_log_in(entry: pwd.struct_passwd) -> bool:
    """Return the shell; an empty one means /bin/sh."""
    return entry.pw_name != SYSTEM_USER and Path(entry.pw_shell).name not in NO_LOGIN


def uid_range(file: Path = LOGIN_DEFS) -> range:
    """Return the uids of people's accounts; Debian's and Red Hat's defaults where the file sets none."""
    text = file.read_text(errors="replace") if file.is_file() else ""
    found = {name: int(n) for name, n in re.findall(r"^\s*(UID_M\w+)\s+(\d+)", text, re.MULTILINE)}
    bounds = DEFAULT_UID_RANGE | found
    return range(bounds["UID_MIN"], bounds["UID_MAX"] + 1)
