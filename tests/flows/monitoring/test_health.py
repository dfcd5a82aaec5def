"""health_check with each service available, unavailable or hanging."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from prefect import get_client

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.deployment.deploy import deploy, desired_state
from analytics_worker.prefect_support.results import RunFailed
from analytics_worker.settings import project_root
from flows.monitoring import health_check
from flows.monitoring.checks import dbt as dbt_check
from flows.monitoring.checks.database import check_database
from flows.monitoring.checks.dbt import check_dbt
from flows.monitoring.checks.host import check_disk
from flows.monitoring.checks.runner import Finding
from flows.monitoring.checks.services import (
    check_mail,
    check_redis,
    check_slack,
    check_webhook,
)
from flows.monitoring.health import all_checks
from tests.support.http_sink import HttpSink
from tests.support.redis_server import RedisServer
from tests.support.smtp_sink import SmtpSink

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch):
    """Replace ``dbt parse``, which takes seconds, by a list of results."""
    problems = ["", "", ""]
    parsed_projects: list[Path] = []

    def parse(project: Path, _profiles: Path, _environment: object) -> str:
        parsed_projects.append(project)
        return problems.pop(0)

    monkeypatch.setattr(dbt_check, "_parse", parse)
    return parsed_projects, problems


@pytest.mark.usefixtures("prefect_api", "parsed")
def test_without_workers_the_run_fails_and_names_the_fix():
    with get_client(sync_client=True) as client:
        deploy(desired_state(), client)
    with pytest.raises(RunFailed) as failed:
        health_check()
    result = failed.value.result
    assert result is not None
    assert result["overall"] == "unhealthy"
    assert "worker of dbt: no worker of pool dbt is online" in result["message"]
    assert "Start one: `analytics-worker worker --pool analytics`." in result["message"]
    statuses = {check["name"]: check for check in result["checks"]}
    assert statuses["analytics database"]["status"] == "healthy"
    assert "connections used" in statuses["analytics database"]["message"]
    assert statuses["prefect api"]["status"] == "healthy"
    assert statuses["dbt project"]["status"] == "healthy"
    assert {statuses[name]["status"] for name in ("redis", "mail server", "webhook", "slack")} == {
        "skipped"
    }


@pytest.mark.usefixtures("prefect_api", "parsed")
def test_a_hanging_database_and_a_hanging_mail_server_do_not_affect_the_others(
    variables, black_hole
):
    variables(
        database_url=f"postgresql://me:canary@127.0.0.1:{black_hole}/kpis",
        alert_email_host="127.0.0.1",
        alert_email_port=black_hole,
        health_check_timeout_seconds=1,
        connect_timeout_seconds=2,
    )
    with pytest.raises(RunFailed) as failed:
        health_check()
    statuses = {check["name"]: check for check in (failed.value.result or {})["checks"]}
    assert statuses["analytics database"]["message"] == "no answer within 1 s"
    assert "Start PostgreSQL" in statuses["analytics database"]["fix"]
    assert statuses["mail server"]["status"] == "degraded"
    assert statuses["prefect api"]["status"] == "healthy"
    assert "canary" not in str(failed.value.result)


def test_every_check_has_a_shorter_timeout_than_the_flow():
    assert all(
        check.timeout_seconds < (health_check.timeout_seconds or 0) for check in all_checks()
    )


def test_an_unavailable_database_is_unhealthy(variables):
    variables(database_url="postgresql://me:canary@127.0.0.1:1/kpis")
    finding = check_database()
    assert (finding.status, finding.message) == ("unhealthy", "Connection refused")
    assert "DATABASE_URL" in finding.fix


def test_an_open_breaker_of_an_available_database_is_degraded():
    db_circuit_breaker.force_open()
    finding = check_database()
    assert (finding.status, "breaker is open" in finding.message) == ("degraded", True)


def test_redis_available_and_unavailable(variables, redis_server: RedisServer):
    variables(redis_url=redis_server.url)
    assert check_redis().status == "healthy"
    redis_server.stop()
    with pytest.raises(Exception, match="Redis at"):
        check_redis()


def test_the_mail_server_is_checked_without_login(variables, smtp_sink: SmtpSink):
    variables(alert_email_host="127.0.0.1", alert_email_port=smtp_sink.port, alert_email_tls="none")
    assert check_mail().status == "healthy"
    variables(alert_email_tls="starttls")
    assert check_mail().status == "degraded"  # it offers no encryption
    smtp_sink.stop()
    assert "Connection refused" in check_mail().message


@pytest.mark.parametrize(
    ("variable", "check"), [("alert_webhook_url", check_webhook), ("alert_slack_url", check_slack)]
)
def test_a_webhook_is_connected_to_and_nothing_is_posted(
    variable: str, check: Callable[[], Finding], variables, http_sink: HttpSink
):
    assert check().status == "skipped"
    variables(**{variable: http_sink.url})
    assert check().status == "healthy"
    assert http_sink.requests == []
    http_sink.stop()
    finding = check()
    assert (finding.status, variable.upper() in finding.fix) == ("degraded", True)


def test_a_webhook_inside_the_network_is_not_connected_to(variables, http_sink: HttpSink):
    variables(alert_webhook_url=http_sink.url, outbound_allowed_hosts="")
    with pytest.raises(Exception, match="OUTBOUND_ALLOWED_HOSTS"):
        check_webhook()
    assert http_sink.connections == 0


def test_a_disk_with_too_little_space_is_unhealthy(variables):
    assert check_disk().status in {"healthy", "degraded"}
    variables(health_min_free_mb=10**9)
    finding = check_disk()
    assert (finding.status, "MB free of" in finding.message) == ("unhealthy", True)


def test_a_folder_that_is_not_writable_is_unhealthy(variables):
    variables(report_output_dir="/proc/reports")
    finding = check_disk()
    assert (finding.status, "REPORT_OUTPUT_DIR" in finding.fix) == ("unhealthy", True)


@pytest.fixture
def project(variables, tmp_path: Path) -> Path:
    copy = tmp_path / "project"
    unrelated = shutil.ignore_patterns("target", "logs")
    shutil.copytree(project_root() / "dbt_project", copy, ignore=unrelated)
    variables(dbt_project_path=copy)
    return copy


def test_an_unchanged_project_is_not_parsed_again(project: Path, parsed):
    parsed_projects, problems = parsed
    assert [check_dbt().status, check_dbt().status] == ["healthy", "healthy"]
    assert len(parsed_projects) == 1
    problems[:] = ["kpis.sql is broken", "a package is missing", ""]
    (project / "models" / "new.sql").write_text("select 1")
    found = [check_dbt().message for _ in range(3)]
    assert found[:2] == ["kpis.sql is broken", "a package is missing"]  # looked at again
    assert "parsed" in found[2]
    assert len(parsed_projects) == 4


@pytest.mark.parametrize("change", ["variable", "package"])
def test_a_project_is_parsed_again_after_a_change_outside_its_files(
    project: Path, parsed, monkeypatch, change
):
    parsed_projects, _ = parsed
    check_dbt()
    if change == "variable":
        monkeypatch.setenv("DBT_LAYER", "bronze")
    else:
        (project / "dbt_packages" / "dbt_utils").mkdir(parents=True)
    check_dbt()
    assert len(parsed_projects) == 2


def test_a_syntax_error_in_a_model_is_found(project: Path):
    """The profile needs variables of the worker: that they are unset would be another error."""
    profile = project / "profiles.yml"
    profile.write_text(profile.read_text().replace(", '5432')", ")").replace(", '')", ")"))
    (project / "models" / "kpis" / "broken.sql").write_text("select {{ reff('x') ")
    finding = check_dbt()
    assert finding.status == "degraded"
    assert "broken" in finding.message


def test_a_missing_project_is_named(variables, tmp_path: Path):
    variables(dbt_project_path=tmp_path)
    assert "dbt_project.yml does not exist" in check_dbt().message
