"""What commands and variables a run's job variables may set, and what is refused by name."""

from pathlib import Path
from typing import Any

import pytest
from prefect.workers.process import ProcessWorker

from analytics_worker.prefect_support.deployments import deployed_flows
from analytics_worker.settings import project_root
from analytics_worker.worker.job_override_policy import JobRefusedError, quoted
from analytics_worker.worker.run_spec import CodeLocation
from tests.support.attacks import attack
from tests.support.jobs import (
    deployment_of,
    job_of,
    policy_of,
    refusal,
    template_with,
    trusted_folder,
)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    return trusted_folder(tmp_path)


COMMAND = {"command": "touch /tmp/marker\n" + "x" * 500}


@attack(
    by="API caller",
    what="job_variables.command of a run, a deployment or a work pool's base job template",
    answer="Failed: who set which command, cut and escaped, and WORKER_ALLOW_JOB_OVERRIDES",
)
@pytest.mark.parametrize(
    ("job", "source"),
    [
        (lambda: job_of(run=COMMAND), "the run's job variables"),
        (lambda: job_of(deployment=COMMAND), "the deployment's job variables"),
        (lambda: job_of(template=template_with(**COMMAND)), "the work pool's base job template"),
    ],
)
def test_a_command_is_refused_and_its_source_named(code: Path, job: Any, source: str):
    message = refusal(code, job())
    assert f"{source} set command 'touch /tmp/marker\\nxxx" in message
    assert "WORKER_ALLOW_JOB_OVERRIDES=on" in message
    assert len(message) < 300


@attack(
    by="API caller",
    what="a base job template whose command is fixed, or taken from a variable of another name",
    answer="Failed, like any command",
)
def test_a_command_that_the_template_hides_is_refused(code: Path):
    template = ProcessWorker.get_default_base_job_template()
    template["job_configuration"]["command"] = "{{ labels }} {{ name }}"
    job = job_of(run={"name": "touch /tmp/marker"}, template=template)
    assert "the work pool's base job template set command" in refusal(code, job)


@attack(
    by="API caller",
    what="env of job variables: PYTHONSTARTUP, PYTHONPATH, LD_PRELOAD, PATH, PREFECT_API_URL, DATABASE_URL, proxies",
    answer="Failed: only variables of a short list may be set",
)
@pytest.mark.parametrize(
    "name",
    [
        "PYTHONSTARTUP",
        "PYTHONPATH",
        "LD_PRELOAD",
        "PATH",
        "PREFECT_API_URL",
        "PREFECT_HOME",
        "PREFECT__FLOW_ENTRYPOINT",
        "PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES",
        "PREFECT_LOGGING_SETTINGS_PATH",
        "DBT_PROFILES_DIR",
        "DATABASE_URL",
        "database_url",
        "HTTPS_PROXY",
        "SSL_CERT_FILE",
        "WORKER_ALLOW_JOB_OVERRIDES",
        "tz",
        "",
        "LC_",
        "LC_ALL=x",
        "LC_A=1\nX",
        "LC_A\n",
        "LC_\u0391",
        "LC_A\0B",
        "LC_x",
        "LC_ALL\n",
    ],
)
@pytest.mark.parametrize("value", ["x", None])
def test_a_variable_that_is_not_known_to_be_harmless_is_refused(
    code: Path, name: str, value: str | None
):
    message = refusal(code, job_of(run={"env": {name: value, "TZ": "UTC"}}))
    assert f"the run's job variables set env {quoted(name)} (" in message
    assert "WORKER_JOB_ENVIRONMENT" in message


def test_a_variable_s_value_is_not_shown_and_a_long_list_is_cut(code: Path):
    given = {f"SECRET_{number}": "canary" for number in range(9)}
    message = refusal(code, job_of(deployment={"env": given}))
    assert "set env 'SECRET_0', 'SECRET_1', 'SECRET_2' and 6 more" in message
    assert "canary" not in message


@attack(
    by="API caller",
    what='the key "env.LD_PRELOAD" instead of LD_PRELOAD in env, or env fixed in the base job template',
    answer="Failed, like any variable",
)
def test_a_variable_in_another_spelling_is_refused(code: Path):
    assert "the run's job variables set env 'LD_PRELOAD'" in refusal(
        code, job_of(run={"env.LD_PRELOAD": "/tmp/x.so"})
    )
    fixed = ProcessWorker.get_default_base_job_template()
    fixed["job_configuration"]["env"] = {"LD_PRELOAD": "/tmp/x.so"}
    for template in (fixed, template_with(env={"LD_PRELOAD": "/tmp/x.so"})):
        message = refusal(code, job_of(template=template))
        assert "the work pool's base job template set env 'LD_PRELOAD'" in message


@attack(
    by="API caller",
    what="a value that ends the process before it can report: a NUL, PREFECT_LOGGING_LEVEL=NOPE, a heartbeat of 'x'",
    answer="Failed: which variable, and what is expected",
)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREFECT_LOGGING_LEVEL", "NOPE"),
        ("PREFECT_LOGGING_LEVEL", ""),
        ("PREFECT_LOGGING_LOG_PRINTS", "perhaps"),
        ("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "x"),
        ("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "1"),
        ("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "-30"),
        ("TZ", "a\0b"),
        ("TZ", "/etc/shadow"),
        ("TZ", ":/etc/shadow"),
        ("TZ", "x" * 101),
        ("LANG", "de\nDE"),
        ("LC_ALL", "x" * 100_000),
        ("CUSTOMER", "a\0b"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(code: Path, name: str, value: str):
    policy = policy_of(code, environment=("CUSTOMER",))
    with pytest.raises(JobRefusedError, match=rf"set env .{name}. to .*expected ") as refused:
        policy.check(job_of(run={"env": {name: value}}))
    assert len(str(refused.value)) < 300


def test_harmless_and_permitted_variables_are_given_to_the_run(code: Path):
    given = {"TZ": "Asia/Tokyo", "LC_TIME": "C", "CUSTOMER": "a", "PREFECT_LOGGING_LEVEL": "DEBUG"}
    job = job_of(deployment={"env": given})
    code_location = policy_of(code, environment=("CUSTOMER",)).code_location(
        job, deployment_of(code)
    )
    assert code_location == CodeLocation(code, f"{code}/script.py:daily", "d")
    assert given.items() <= job.env.items()


def test_what_prefect_yaml_deploys_is_allowed(code: Path):
    for entry in deployed_flows():
        job = job_of(deployment=entry.deployment.work_pool.job_variables)
        its = deployment_of(project_root(), entry.deployment.entrypoint)
        code_location = policy_of(code).code_location(job, its)
        assert (code_location.directory, code_location.entrypoint) == (
            project_root(),
            its.entrypoint,
        )
