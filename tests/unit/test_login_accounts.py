"""Whose accounts of this machine make a login needed."""

import pwd
from pathlib import Path

import pytest

from analytics_worker.stack.accounts import login_accounts, uid_range


def account(name: str, uid: int, shell: str = "/bin/bash") -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, uid, "", f"/home/{name}", shell))


ACCOUNTS = [
    account("root", 0),
    account("ann", 1000),
    account("bob", 1001, "/bin/zsh"),
    account("empty", 1002, ""),
    account("analytics-worker", 1003),
    account("printer", 1004, "/usr/sbin/nologin"),
    account("nobody", 65534),
]


@pytest.mark.parametrize(("own", "found"), [(1000, ["bob", "empty"]), (0, ["ann", "bob", "empty"])])
def test_accounts_of_other_people(own: int, found: list[str]):
    assert login_accounts(ACCOUNTS, own, range(1000, 60_001)) == found


def test_which_numbers_are_people_s_is_the_machine_s_business(tmp_path: Path):
    file = tmp_path / "login.defs"
    assert uid_range(file) == range(1000, 60_001)
    file.write_text(
        "# UID_MIN 1\nUID_MIN\t\t 500\n  UID_MAX 999 # old\nSYS_UID_MIN 100\nUID_MAXX 5\n"
    )
    assert uid_range(file) == range(500, 1000)
