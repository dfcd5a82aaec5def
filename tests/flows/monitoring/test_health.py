"""health_check: each service there, away, or hanging."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.prefect_support.results import RunFailed
from analytics_worker.settings import project_root
from flows.monitoring import _dbt_check, health_check
from flows.monitoring._checks import Finding
from flows.monitoring._database_check import check_database
from flows.monitoring._dbt_check import check_dbt
from flows.monitoring._host_checks import check_disk
from flows.monitoring._service_checks import (
    check_mail,
    check_redis,
    check_slack,
    check_webhook,
)
from flows.monitoring.health import checks
from tests.support.http_sink import HttpSink
from tests.support.redis_server import RedisServer
from tests.support.smtp_sink import SmtpSink

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch):
    """dbt's verdict without the seconds that it takes."""
    verdicts = ["", ""]
    asked: list[Path] = []

    def parse(project: Path, _profiles: Path) -> str:
        asked.append(project)
        return verdicts.pop(0)

    monkeypatch.setattr(_dbt_check, "_parse", parse)
    return asked, verdicts


@pytest.mark.usefixtures("prefect_api", "parsed")
def test_without_workers_the_run_is_red_and_names_the_fix():
    with pytest.raises(RunFailed) as failed:
        health_check()
    result = failed.value.result
    assert result is not None
    assert result["overall"] == "unhealthy"
    assert "worker of dbt: no worker serves the pool dbt" in result["message"]
    assert "Start one: `analytics-worker worker --pool analytics`." in result["message"]
    found = {check["name"]: check for check in result["checks"]}
    assert found["analytics database"]["status"] == "healthy"
    assert "connections used" in found["analytics database"]["message"]
    assert found["prefect api"]["status"] == "healthy"
    assert found["dbt project"]["status"] == "healthy"
    assert {found[name]["status"] for name in ("redis", "mail server", "webhook", "slack")} == {
        "skipped"
    }


@pytest.mark.usefixtures("prefect_api", "parsed")
def test_a_hanging_database_and_a_hanging_mail_server_leave_the_others_alone(variables, black_hole):
    variables(
        database_url=f"postgresql://me:canary@127.0.0.1:{black_hole}/kpis",
        alert_email_host="127.0.0.1",
        alert_email_port=black_hole,
        health_check_timeout_seconds=1,
        connect_timeout_seconds=2,
    )
    with pytest.raises(RunFailed) as failed:
        health_check()
    found = {check["name"]: check for check in (failed.value.result or {})["checks"]}
    assert found["analytics database"]["message"] == "no answer within 1 s"
    assert "Start PostgreSQL" in found["analytics database"]["fix"]
    assert found["mail server"]["status"] == "degraded"
    assert found["prefect api"]["status"] == "healthy"
    assert "canary" not in str(failed.value.result)


def test_every_check_has_a_limit_below_the_flow_s():
    assert all(check.timeout_seconds < (health_check.timeout_seconds or 0) for check in checks())


def test_a_database_that_is_away(variables):
    variables(database_url="postgresql://me:canary@127.0.0.1:1/kpis")
    finding = check_database()
    assert (finding.status, finding.message) == ("unhealthy", "Connection refused")
    assert "DATABASE_URL" in finding.fix


def test_an_open_breaker_over_a_database_that_answers_is_degraded():
    db_circuit_breaker.force_open()
    finding = check_database()
    assert (finding.status, "breaker is open" in finding.message) == ("degraded", True)


def test_redis_there_frozen_and_away(variables, redis_server: RedisServer):
    variables(redis_url=redis_server.url)
    assert check_redis().status == "healthy"
    redis_server.stop()
    with pytest.raises(Exception, match="Redis at"):
        check_redis()


def test_the_mail_server_is_greeted_and_nobody_logs_in(variables, smtp_sink: SmtpSink):
    variables(alert_email_host="127.0.0.1", alert_email_port=smtp_sink.port, alert_email_tls="none")
    assert check_mail().status == "healthy"
    variables(alert_email_tls="starttls")
    assert check_mail().status == "degraded"  # it offers no encryption
    smtp_sink.stop()
    assert "Connection refused" in check_mail().message


@pytest.mark.parametrize(
    ("variable", "check"), [("alert_webhook_url", check_webhook), ("alert_slack_url", check_slack)]
)
def test_a_web_hook_is_reached_but_nothing_is_posted(
    variable: str, check: Callable[[], Finding], variables, http_sink: HttpSink
):
    assert check().status == "skipped"
    variables(**{variable: http_sink.url})
    assert check().status == "healthy"
    assert http_sink.requests == []
    http_sink.stop()
    found = check()
    assert (found.status, variable.upper() in found.fix) == ("degraded", True)


def test_a_web_hook_inside_the_network_is_not_touched(variables, http_sink: HttpSink):
    variables(alert_webhook_url=http_sink.url, outbound_allowed_hosts="")
    with pytest.raises(Exception, match="OUTBOUND_ALLOWED_HOSTS"):
        check_webhook()
    assert http_sink.connections == 0


def test_a_disk_with_too_little_room(variables):
    assert check_disk().status in {"healthy", "degraded"}
    variables(health_min_free_mb=10**9)
    finding = check_disk()
    assert (finding.status, "MB free of" in finding.message) == ("unhealthy", True)


def test_a_folder_that_can_not_be_written(variables):
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


def test_dbt_parses_only_what_changed(project: Path, parsed):
    asked, verdicts = parsed
    assert [check_dbt().status, check_dbt().status] == ["healthy", "healthy"]
    assert len(asked) == 1
    verdicts[:] = ["kpis.sql is broken", "never asked"]
    (project / "models" / "new.sql").write_text("select 1")
    assert [check_dbt().message, check_dbt().message] == ["kpis.sql is broken"] * 2
    assert len(asked) == 2


def test_a_typing_error_in_a_model_is_found(project: Path):
    (project / "models" / "kpis" / "broken.sql").write_text("select {{ reff('x') ")
    finding = check_dbt()
    assert finding.status == "degraded"
    assert "broken" in finding.message


def test_a_project_that_is_not_there(variables, tmp_path: Path):
    variables(dbt_project_path=tmp_path)
    assert "dbt_project.yml does not exist" in check_dbt().message
