"""Mistakes in definitions/reports.yml: each is named by file and line, with what to write instead."""

from pathlib import Path

import pytest

from analytics_worker.definitions.yaml_definitions import DefinitionError
from analytics_worker.settings import settings
from flows.reports.definitions.yaml_files import find, load

GOOD = "reports:\n  - name: a\n    sql: select 1\n    owner: o@example.com\n"


def problems(folder: Path, text: str) -> list[str]:
    (folder / "reports.yml").write_text(text)
    try:
        load(folder)
    except DefinitionError as error:
        return [line.removeprefix(f"{folder}/") for line in error.problems]
    return []


def test_the_reports_of_this_project_are_fine():
    reports = load()
    assert {report.schedule for report in reports.values()} == {"daily", "weekly", "monthly"}
    assert any("html" in report.format and report.charts for report in reports.values())


def test_a_good_file_has_no_problems(tmp_path):
    assert problems(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD + "    fromat: csv\n", "reports.yml:5: unknown key 'fromat'; did you mean 'format'?"),
        (GOOD + "    format: docx\n", "there are csv, excel, html, json, ndjson, parquet, pdf, xlsx"),
        (GOOD + "    format: [xlsx, excel]\n", "reports.yml:5: a: a format is there twice"),
        (GOOD + "    schedule: dayly\n", "reports.yml:5: schedule: 'dayly' is not valid; expected 'daily', 'weekly', 'monthly' or 'manual'"),
        (GOOD + "    timezone: Paris\n", "'Paris' is no IANA time zone, such as Europe/Paris or UTC"),
        (
            GOOD + "    recipients: [nobody]\n",
            "reports.yml:5: recipients.to.0: 'nobody' is not a valid email address; expected name@",
        ),
        (GOOD + "    timeout: 5 minutes\n", "reports.yml:5: timeout: '5 minutes' is not a valid duration"),
        (GOOD.replace("select 1", "select 1; drop table x"), "reports.yml:3: a: there are 2 statements; expected one SELECT"),
        (GOOD.replace("select 1", "delete from x"), "reports.yml:3: a: DELETE is not allowed"),
        (GOOD.replace("select 1", "select :period_strat"), "the SQL uses :period_strat, which is no parameter; did you mean 'period_start'?"),
        (GOOD + "    parameters: {x: 1}\n", "reports.yml:5: a: 'x' is not used: write :x in the SQL, or remove it"),
        (GOOD + "    parameters: {x: {type: date, value: soon}}\n", "'soon' is no date"),
        (GOOD.replace("select 1", "select :period_start") + "    parameters: {period_start: 1}\n", "is the report's period"),
        (GOOD + "    queries: [{title: t, sql: select 1}]\n", "there are sql and queries; write one of them"),
        (GOOD.replace("    sql: select 1\n", ""), "a: there is no SQL: write sql, or queries"),
        (GOOD.replace("    owner: o@example.com\n", ""), "owner is missing: the address that hears if it fails"),
        (GOOD + "    schedule: daily\n    after: {latest: '09:00'}\n", "it waits for nothing: write `dbt: run`, or views"),
        (GOOD + "    after: {dbt: run, latest: '09:00'}\n", "nothing is awaited for a manual report"),
        (GOOD + "    schedule: daily\n    after: {dbt: run, latest: 9:00}\n", 'write it in quotes: "09:30"'),
        (GOOD + GOOD.removeprefix("reports:\n"), "there are two reports named 'a'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_line_with_what_to_write(tmp_path, text, complaint):
    found = problems(tmp_path, text)
    assert any(complaint in line for line in found), found


def test_a_recipient_outside_the_allowed_domains_is_a_mistake(tmp_path, monkeypatch):
    monkeypatch.setenv("REPORT_ALLOWED_DOMAINS", "example.com, example.org")
    settings.cache_clear()
    (found,) = problems(tmp_path, f"{GOOD}    recipients: {{bcc: [eve@example.net]}}\n")
    assert "reports.yml:5: a: eve@example.net may not get reports" in found
    assert problems(tmp_path, GOOD + "    recipients: ann@Example.org\n") == []


def test_a_report_is_found_by_a_similar_name():
    with pytest.raises(DefinitionError, match="did you mean 'daily-pipeline'"):
        find(load(), "daily_pipeline")
