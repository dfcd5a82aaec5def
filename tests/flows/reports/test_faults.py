"""Faults while a report is generated: a clear error, no partial file, a retry where it helps."""

import resource
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.prefect_support.results import RunFailed
from analytics_worker.settings import settings
from flows.reports import (
    generate_ad_hoc_report,
    generate_scheduled_reports,
    generate_single_report,
)
from flows.reports import scheduled as scheduled_flow
from flows.reports.formats import registry
from flows.reports.output import ui_artifacts
from tests.flows.reports.reports import (
    ANN,
    OWNER,
    attachment,
    body,
    deliveries,
    report,
    runs,
    store_reports,
)
from tests.support.attacks import attack
from tests.support.postgres import administer
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    task = scheduled_flow.generate_report
    monkeypatch.setattr(task, "retry_delay_seconds", [0.0] * task.retries)


def owner_notification(sink) -> str:
    (notice,) = [each for each in sink.messages if each.recipients == [OWNER]]
    return body(notice)


def test_query_error_names_its_line(smtp_sink):
    store_reports(report(sql="select 1 as n,\n nope\nfrom analytics.missing"))
    with pytest.raises(RunFailed, match="missing"):
        generate_scheduled_reports()
    assert 'relation "analytics.missing" does not exist (line 3 of the SQL)' in owner_notification(
        smtp_sink
    )


def test_missing_view_fails_until_it_is_back(smtp_sink):
    execute("create view analytics.v as select 5 as n")
    execute("grant select on analytics.v to analytics_reader")
    store_reports(report(sql="select n from analytics.v"))
    execute("alter view analytics.v rename to w")
    assert generate_scheduled_reports(return_state=True).is_failed()
    execute("alter view analytics.w rename to v")
    assert generate_scheduled_reports()["summary"]["made"] == 1
    assert [each.recipients for each in smtp_sink.messages] == [[OWNER], [ANN]]


@pytest.mark.parametrize("name", ["csv", "xlsx", "json", "html"])
def test_empty_result_is_reported_as_zero_rows(smtp_sink, name):
    store_reports(report(sql="select 1 as n where false", format=name))
    assert generate_scheduled_reports()["reports"][0]["rows"] == 0
    assert "0 rows" in body(smtp_sink.messages[0])
    assert attachment(smtp_sink.messages[0])


def test_unwritable_folder_is_named_with_its_setting(tmp_path, monkeypatch, smtp_sink):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("REPORT_OUTPUT_DIR", str(tmp_path / "file" / "reports"))
    settings.cache_clear()
    store_reports(report())
    with pytest.raises(
        RunFailed, match="set REPORT_OUTPUT_DIR to a folder that the worker may write"
    ):
        generate_scheduled_reports()
    assert "REPORT_OUTPUT_DIR" in owner_notification(smtp_sink)


@contextmanager
def file_size_limit(size: int) -> Generator[None]:
    """Limit the size of files of this process, which fails writes like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_leaves_no_file_and_the_next_run_retries(smtp_sink, report_folder):
    store_reports(report(sql="select repeat('x', 1000) as t from generate_series(1, 40000)"))
    with file_size_limit(20_000_000):
        assert generate_scheduled_reports(return_state=True).is_failed()
    assert list(report_folder.iterdir()) == []
    assert "File too large" in owner_notification(smtp_sink)
    assert generate_scheduled_reports()["summary"]["made"] == 1
    assert [file.stat().st_size for file in report_folder.iterdir()] == [40_000 * 1001 + 2]


def test_dropped_connection_in_a_large_export_is_retried(postgres, report_folder, monkeypatch):
    store_reports(
        report(sql="select n, repeat('x', 100) as t from generate_series(1, 200000) as n")
    )
    drops: list[int] = []

    class Dropping(ui_artifacts._ProgressArtifact):
        def update(self, rows: int) -> None:
            if not drops:
                drops.append(rows)
                administer(
                    postgres,
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where usename = 'analytics_reader'",
                )

    monkeypatch.setattr(ui_artifacts, "_ProgressArtifact", Dropping)
    assert generate_scheduled_reports()["summary"]["made"] == 1
    assert drops[0] >= registry.PROGRESS_ROWS
    (file,) = report_folder.iterdir()
    assert file.read_bytes().count(b"\n") == 200_001
    assert query("select attempts from ops.report_runs") == [1]  # within the attempt
    assert deliveries() == [(ANN, "sent")]


def test_open_circuit_ends_the_run_at_once():
    store_reports(report())
    db_circuit_breaker.force_open()
    state = generate_scheduled_reports(return_state=True)
    assert (state.name, state.type.value) == ("CircuitOpen", "FAILED")


def test_invalid_input_changes_nothing(smtp_sink):
    valid = {"name": "r", "query": "select 1", "format": "csv", "recipients": []}
    for change, message in (
        ({"format": "docx"}, "expected one of csv, excel"),
        ({"query": "delete from x"}, "DELETE is not allowed"),
        ({"name": "x" * 10_000}, "10,000 characters"),
        ({"recipients": ["nobody"]}, "recipients"),
    ):
        with pytest.raises(RunFailed, match=message):
            generate_ad_hoc_report(valid | change)
    assert (runs(), smtp_sink.messages) == ([], [])


def test_address_outside_the_allowed_domains_is_refused(monkeypatch, smtp_sink):
    monkeypatch.setenv("REPORT_ALLOWED_DOMAINS", "example.com")
    settings.cache_clear()
    config = {"name": "r", "query": "select 1", "recipients": ["eve@example.net"]}
    with pytest.raises(RunFailed, match=r"eve@example\.net may not get reports"):
        generate_ad_hoc_report(config)
    each = {"sql": "select 1 as k, 'eve@example.net' as mail", "key": "k", "to": "mail"}
    store_reports(report(sql="select 1 as n", for_each=each, recipients=[]))
    assert generate_scheduled_reports(return_state=True).is_failed()
    assert [each.recipients for each in smtp_sink.messages] == [[OWNER]]


@attack(
    by="API caller",
    what="an owner outside REPORT_ALLOWED_DOMAINS, and SQL whose error quotes data",
    answer="refused before the SQL runs; no email is sent",
)
@pytest.mark.parametrize("ask", [generate_ad_hoc_report, generate_single_report])
def test_an_owner_outside_the_allowed_domains_is_sent_no_error_with_data(
    monkeypatch, smtp_sink, ask
):
    monkeypatch.setenv("REPORT_ALLOWED_DOMAINS", "example.com")
    settings.cache_clear()
    config = {"name": "r", "query": "select 'secret row'::text::int", "recipients": [ANN]}
    with pytest.raises(RunFailed, match=r"\.owner: eve@example\.net may not get reports"):
        ask(config | {"owner": "eve@example.net"})
    assert (runs(), smtp_sink.messages) == ([], [])
    with pytest.raises(RunFailed, match="secret row"):
        ask(config | {"owner": OWNER})
    assert "secret row" in owner_notification(smtp_sink)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_full_disk_is_named_and_no_file_is_left(small_disk, smtp_sink, monkeypatch, kind):
    monkeypatch.setenv("REPORT_OUTPUT_DIR", str(small_disk))
    settings.cache_clear()
    rows = "select n, md5(n::text) || md5((-n)::text) as text from generate_series(1, 60000) as n"
    store_reports(report(sql=rows, format=[kind]))
    with pytest.raises(RunFailed):
        generate_scheduled_reports()
    text = f"{small_disk} can't be written: no space left, "
    assert text in owner_notification(smtp_sink)
    assert "set REPORT_OUTPUT_DIR to another folder" in owner_notification(smtp_sink)
    assert list(small_disk.iterdir()) == []
