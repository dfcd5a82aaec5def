"""Values of variables, and job variables of the wrong type, that would end a run at its start."""

from pathlib import Path
from typing import Any

import pytest
from prefect.workers.process import ProcessWorker

from analytics_worker.worker.job_override_policy import JobRefusedError, quoted
from tests.support.attacks import attack
from tests.support.jobs import job_of, policy_of, trusted_folder


@pytest.fixture
def code(tmp_path: Path) -> Path:
    return trusted_folder(tmp_path)


@attack(
    by="API caller",
    what="env values that end a process before it reports: a log level or heartbeat that Prefect refuses, a NUL, a FIFO as time zone",
    answer="Failed before anything is started: which variable, its value, and what is expected",
)
@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PREFECT_LOGGING_LEVEL", "LOUD", "one of DEBUG, INFO"),
        ("PREFECT_LOGGING_LEVEL", "", "one of DEBUG, INFO"),
        ("PREFECT_LOGGING_LOG_PRINTS", "maybe", "true or false"),
        ("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "often", "whole seconds from 30 to 3600"),
        ("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "29", "whole seconds"),
        ("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "9" * 400, "whole seconds"),
        ("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "-30", "whole seconds"),
        ("TZ", ":/tmp/fifo", "the name of a time zone"),
        ("TZ", "/dev/tty", "the name of a time zone"),
        ("TZ", "../../etc/passwd", "the name of a time zone"),
        ("TZ", "Europe", "the name of a time zone"),
        ("TZ", "UTC\0", "the name of a time zone"),
        ("LC_ALL", "/tmp/locale", "the name of a locale"),
        ("LC_ALL", "C\0", "the name of a locale"),
        ("LANG", "C\nX=1", "the name of a locale"),
        ("LANGUAGE", "d" * 200, "the name of a locale"),
        ("CUSTOMER", "a\0b", "without NUL"),
        ("CUSTOMER", "\ud800", "without NUL"),
        ("CUSTOMER", "x" * 40_000, "at most 32,768 bytes"),
    ],
)
def test_a_value_that_would_crash_the_run_is_refused(
    code: Path, name: str, value: str, expected: str
):
    job = job_of(run={"env": {name: value}})
    with pytest.raises(JobRefusedError) as refused:
        policy_of(code, environment=("CUSTOMER",)).check(job)
    message = str(refused.value)
    assert f"the run's job variables set env {name!r} to {quoted(value)}; expected" in message
    assert expected in message
    assert "\n" not in message
    assert len(message) < 300


@attack(
    by="API caller",
    what="job variables or a base job template of the wrong type: env as a list, a folder that is a number, a missing variable",
    answer="Failed before anything is started, without the values",
)
@pytest.mark.parametrize(
    ("run", "named"),
    [
        ({"env": ["canary"]}, "job variables set an env that is not an object"),
        ({"env": "canary"}, "job variables set an env that is not an object"),
        ({"env": 5}, "job variables set an env that is not an object"),
        ({"working_dir": 5}, "working_dir"),
        ({"stream_output": "canary"}, "stream_output"),
        ({"env": {"LANG": "{{ prefect.variables.canary }}"}}, "Prefect cannot read them"),
    ],
)
def test_job_variables_that_cannot_be_read_are_refused(code: Path, run: Any, named: str):
    for job in (job_of(run=run), job_of(deployment=run)):
        with pytest.raises(JobRefusedError, match="the job variables are not valid") as refused:
            policy_of(code).check(job)
        assert named in str(refused.value)
        assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"variables": None},
        {"variables": {"properties": {"env": "x"}}},
        {"job_configuration": None},
        {"job_configuration": {"env": "x"}},
    ],
)
def test_a_base_job_template_that_cannot_be_read_is_refused(code: Path, change: dict[str, Any]):
    job = job_of(template=ProcessWorker.get_default_base_job_template() | change)
    with pytest.raises(JobRefusedError, match="the job variables are not valid"):
        policy_of(code).check(job)
