"""`doctor` says what is wrong with the Redis of REDIS_URL, and the worker does not start with an invalid one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from analytics_worker.doctor.findings import Finding
from analytics_worker.doctor.runner import run_checks
from analytics_worker.settings import settings
from tests.support.ports import free_port
from tests.support.processes import our_worker
from tests.support.redis_server import RedisServer
from tests.support.wait_until import wait_until

Check = Callable[[str], Finding]
INVALID = "redis://:r@d:is/%#1@10.0.0.1:6379/0"


@pytest.fixture
def finding(environment: object, monkeypatch: pytest.MonkeyPatch) -> Check:
    """What doctor finds with a REDIS_URL."""
    del environment

    def check(url: str) -> Finding:
        monkeypatch.setenv("REDIS_URL", url)
        settings.cache_clear()
        return next(each for each in run_checks() if each.area == "redis")

    return check


def test_none_is_fine(finding: Check):
    found = finding("")
    assert (found.level, found.message.partition(":")[0]) == ("ok", "not set")


def test_one_that_accepts_writes_is_fine(finding: Check, redis_server: RedisServer):
    found = finding(redis_server.url)
    assert (found.level, found.message) == ("ok", f"Redis at {redis_server.socket} accepts writes")


def test_a_closed_port_fails_with_its_address(finding: Check):
    port = free_port()
    found = finding(f"redis://:canary@127.0.0.1:{port}/0")
    assert (found.level, f"Redis at 127.0.0.1:{port}" in found.message) == ("fail", True)
    assert "REDIS_URL" in found.fix


def test_a_wrong_password_fails(finding: Check):
    with RedisServer(password="canary") as server:
        found = finding(server.url.replace("canary", "parrot"))
    assert (found.level, "invalid username-password pair" in found.message) == ("fail", True)
    assert "parrot" not in found.message


def test_an_invalid_url_fails_without_its_password(finding: Check):
    found = finding(INVALID)
    assert found.level == "fail"
    assert "REDIS_URL is not a valid Redis URL" in found.message
    assert "10.0.0.1" not in found.message


@pytest.mark.parametrize("url", [INVALID, "nonsense"])
def test_the_worker_does_not_start_with_an_invalid_url(url: str, tmp_path: Path):
    variables = {"REDIS_URL": url, "STATE_DIR": str(tmp_path / "state")}
    with our_worker("any", variables, tmp_path / "log") as worker:
        wait_until(lambda: worker.ended() is not None, timeout=60)
    assert worker.ended() == 1
    (line,) = worker.output().splitlines()
    assert "REDIS_URL is not a valid Redis URL; expected redis://" in line
    assert url not in line
