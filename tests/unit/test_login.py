"""Whether the server asks for a login, what is said about it, the file that keeps it, and who gets it."""

import os
import re
import stat
from pathlib import Path

import pytest

from analytics_worker.settings import settings
from analytics_worker.stack import login
from analytics_worker.stack.environment import environment
from analytics_worker.stack.errors import StackError
from analytics_worker.stack.login import Login, access_notes, choose_login
from analytics_worker.stack.state_dir import StateFolder
from analytics_worker.stack_address import login_file, stack_login
from tests.support.attacks import attack

EVERYWHERE = "0.0.0.0"  # noqa: S104  # nothing listens


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Set variables; there is no other account unless the test adds one."""
    monkeypatch.setattr(login, "other_accounts", list)
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)

    def choose(**chosen: str) -> None:
        for name, value in {"STATE_DIR": str(folder), **chosen}.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()

    choose()
    return choose


@pytest.mark.parametrize("mode", ["auto", "off", "OFF"])
def test_alone_on_loopback_there_is_none(variables, mode: str):
    variables(SERVER_LOGIN=mode)
    assert choose_login() is None
    assert not login_file().exists()


@attack(
    by="local user",
    what="Use the API of a stack on loopback from another account of the machine",
    answer="401: a login is made as soon as there are other accounts",
)
def test_other_accounts_make_a_login_needed(variables, monkeypatch: pytest.MonkeyPatch):
    variables(SERVER_LOGIN="auto")
    monkeypatch.setattr(login, "other_accounts", lambda: ["ann", "bob", "cleo", "dan"])
    chosen = choose_login()
    assert chosen
    assert "(ann, bob, cleo …)" in str(chosen)


@attack(
    by="network",
    what="Use the API of a stack that listens beyond loopback",
    answer="401: a login is made",
)
def test_other_hosts_make_a_login_needed(variables):
    variables(SERVER_LOGIN="auto", PREFECT_SERVER_API_HOST=EVERYWHERE)
    assert "because it listens on 0.0.0.0" in str(choose_login())


@attack(
    by="network",
    what="Reach an API without a login on another address than loopback",
    answer="the stack does not start so",
)
@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.0.2.7"])
def test_off_is_refused_where_other_hosts_reach_it(variables, host: str):
    variables(SERVER_LOGIN="off", PREFECT_SERVER_API_HOST=host)
    with pytest.raises(StackError, match="SERVER_LOGIN=off and PREFECT_SERVER_API_HOST="):
        choose_login()


def test_a_login_of_the_user_s_own_wins(variables):
    own = {"PREFECT_SERVER_API_AUTH_STRING": "me:secret", "PREFECT_SERVER_API_HOST": EVERYWHERE}
    variables(SERVER_LOGIN="off", **own)
    chosen = choose_login()
    assert chosen
    assert chosen.secret == "me:secret"
    assert not login_file().exists()


def test_an_empty_login_is_refused(variables):
    variables(PREFECT_SERVER_API_AUTH_STRING="")
    with pytest.raises(StackError, match="PREFECT_SERVER_API_AUTH_STRING is empty"):
        choose_login()


def test_it_is_made_once_and_for_its_owner_only(variables):
    variables(SERVER_LOGIN="on")
    first, second = choose_login(), choose_login()
    assert first
    assert first == second
    assert stat.S_IMODE(login_file().stat().st_mode) == 0o600
    assert re.fullmatch(r"admin:\S{32,}", first.secret)


def test_what_is_printed_says_where_it_is_and_not_what(variables):
    variables(SERVER_LOGIN="on")
    chosen = choose_login()
    assert chosen
    said = " ".join(access_notes(chosen)) + repr(chosen)
    assert str(login_file()) in said
    assert chosen.secret.partition(":")[2] not in said


@pytest.mark.usefixtures("variables")
@pytest.mark.parametrize(("uid", "account"), [(0, "root"), (1000, "this user")])
def test_what_reaching_the_api_means_is_said(
    monkeypatch: pytest.MonkeyPatch, uid: int, account: str
):
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert access_notes(None) == [
        "The server requires no login; SERVER_LOGIN=on turns it on.",
        f"Anyone who reaches the API without a login runs commands as {account} (SECURITY.md).",
    ]
    said = access_notes(Login("admin:x", "as you set it"))
    assert said[1] == f"Anyone who has the login runs commands as {account} (SECURITY.md)."


def test_who_reaches_a_server_without_a_login_is_said(variables, monkeypatch: pytest.MonkeyPatch):
    variables(SERVER_LOGIN="off")
    monkeypatch.setattr(login, "other_accounts", lambda: ["ann", "bob"])
    assert "Other accounts of this machine can reach it: ann, bob." in access_notes(None)[0]


def test_where_the_server_listens_and_that_nothing_is_encrypted_is_said(variables):
    variables(PREFECT_SERVER_API_HOST=EVERYWHERE, PREFECT_SERVER_API_PORT="4490")
    assert access_notes(Login("admin:x", "as you set it"))[-1] == (
        "The server listens on 0.0.0.0:4490. Login and data are not encrypted unless a TLS proxy"
        " is in front of the server."
    )


def test_that_callers_may_choose_the_code_is_said(variables):
    variables(WORKER_ALLOW_JOB_OVERRIDES="on")
    assert access_notes(None)[-1].startswith("WORKER_ALLOW_JOB_OVERRIDES=on: any caller of the API")


@attack(
    by="local user",
    what="A login file that others can read, a link or a folder in its place, damaged text",
    answer="not used, the start is refused",
)
@pytest.mark.parametrize(
    "damage", ["open", "link", "folder", "empty", "text", "lines", "binary", "fifo"]
)
def test_a_file_that_cannot_be_trusted_is_refused(variables, tmp_path: Path, damage: str):
    variables(SERVER_LOGIN="on")
    file = login_file()
    match damage:
        case "link":
            other = tmp_path / "other"
            other.write_text("admin:known")
            other.chmod(0o600)
            file.symlink_to(other)
        case "folder":
            file.mkdir()
        case "fifo":
            os.mkfifo(file, 0o600)
        case _:
            content = {
                "open": b"admin:x",
                "text": b"secret",
                "lines": b"a:b\nc:d",
                "binary": b"\xff:\xff",
            }
            file.write_bytes(content.get(damage, b""))
            file.chmod(0o644 if damage == "open" else 0o600)
    with pytest.raises(StackError, match="is not a valid login; expected one line user:password"):
        choose_login()


@attack(by="local user", what="Replace the login in a folder open to all", answer="refused")
def test_a_folder_that_others_can_write_is_refused(variables):
    variables(SERVER_LOGIN="on")
    login_file().parent.chmod(0o777)
    with pytest.raises(StackError, match="chmod 700"):
        choose_login()


def test_an_interrupted_start_leaves_nothing_in_the_way(variables, tmp_path: Path):
    variables(SERVER_LOGIN="on")
    login_file().with_suffix(".new").symlink_to(tmp_path / "elsewhere")
    assert choose_login()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.usefixtures("variables")
def test_both_sides_get_the_same_login(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "of:another server")
    both = environment(4200, "marker", "a:b")
    assert both["PREFECT_SERVER_API_AUTH_STRING"] == both["PREFECT_API_AUTH_STRING"] == "a:b"
    assert "PREFECT_SERVER_API_AUTH_STRING" not in environment(4200, "marker", None)
    assert both["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] == "true"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (EVERYWHERE, "http://127.0.0.1:4200/api"),
        ("::", "http://[::1]:4200/api"),
        ("192.0.2.7", "http://192.0.2.7:4200/api"),
        ("localhost", "http://127.0.0.1:4200/api"),
    ],
)
def test_clients_use_loopback_where_the_server_is_there(variables, host: str, url: str):
    variables(PREFECT_SERVER_API_HOST=host)
    found = environment(4200, "marker", "a:b")
    assert (found["PREFECT_API_URL"], found["PREFECT_SERVER_API_HOST"]) == (url, host)


@attack(
    by="network",
    what="A server whose address is set as PREFECT_API_URL waits for the stack's login",
    answer="it is sent to the stack's own address only",
)
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:4200/api", "a:b'\\c"),
        ("http://127.0.0.1:4200/api/", "a:b'\\c"),
        ("http://localhost:4200/api", None),
        ("http://127.0.0.1:4201/api", None),
        ("http://127.0.0.1:4200/api@evil.example", None),
        ("https://evil.example/api", None),
        (None, None),
    ],
)
@pytest.mark.usefixtures("variables")
def test_the_login_goes_to_the_stack_only(url: str | None, expected: str | None):

    stored = {"PREFECT_API_URL": "http://127.0.0.1:4200/api", "PREFECT_API_AUTH_STRING": "a:b'\\c"}
    StateFolder(settings().state_dir).write_env(stored)
    assert stack_login(url) == expected
