"""Mistakes in definitions/reports.yml: each has file, line and what is expected."""

from pathlib import Path

import pytest

from analytics_worker.definitions.yaml_definitions import DefinitionError
from analytics_worker.settings import settings
from flows.reports.definitions.yaml_files import find, load

VALID = "reports:\n  - name: a\n    sql: select 1\n    owner: o@example.com\n"


def problems(folder: Path, text: str) -> list[str]:
    (folder / "reports.yml").write_text(text)
    try:
        load(folder)
    except DefinitionError as error:
        return [line.removeprefix(f"{folder}/") for line in error.problems]
    return []


def test_reports_of_this_project_are_valid():
    reports = load()
    assert {report.schedule for report in reports.values()} == {"daily", "weekly", "monthly"}
    assert any("html" in report.format and report.charts for report in reports.values())


def test_valid_file_has_no_problems(tmp_path):
    assert problems(tmp_path, VALID) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (VALID + "    fromat: csv\n", "reports.yml:5: unknown key 'fromat'; did you mean 'format'?"),
        (VALID + "    format: docx\n", "expected one of csv, excel, html, json, ndjson, parquet, pdf, xlsx"),
        (VALID + "    format: [xlsx, excel]\n", "reports.yml:5: a: a format is listed twice"),
        (VALID + "    schedule: dayly\n", "reports.yml:5: schedule: 'dayly' is not valid; expected 'daily', 'weekly', 'monthly' or 'manual'"),
        (VALID + "    timezone: Paris\n", "'Paris' is not a valid time zone; expected an IANA name such as Europe/Paris or UTC"),
        (
            VALID + "    recipients: [nobody]\n",
            "reports.yml:5: recipients.to.0: 'nobody' is not a valid email address; expected name@",
        ),
        (VALID + "    timeout: 5 minutes\n", "reports.yml:5: timeout: '5 minutes' is not a valid duration"),
        (VALID.replace("select 1", "select 1; drop table x"), "reports.yml:3: a: there are 2 statements; expected one SELECT"),
        (VALID.replace("select 1", "delete from x"), "reports.yml:3: a: DELETE is not allowed"),
        (VALID.replace("select 1", "select :period_strat"), ":period_strat is not a parameter of the report; did you mean 'period_start'?"),
        (VALID + "    parameters: {x: 1}\n", "reports.yml:5: a: 'x' is not used: write :x in the SQL, or remove it"),
        (VALID + "    parameters: {x: {type: date, value: soon}}\n", "'soon' is not a valid date"),
        (VALID.replace("select 1", "select :period_start") + "    parameters: {period_start: 1}\n", "is reserved for the report's period"),
        (VALID + "    queries: [{title: t, sql: select 1}]\n", "sql and queries exclude each other"),
        (VALID.replace("    sql: select 1\n", ""), "a: SQL is missing; expected sql, or queries"),
        (VALID.replace("    owner: o@example.com\n", ""), "owner is missing; expected the address to notify"),
        (VALID + "    schedule: daily\n    after: {latest: '09:00'}\n", "it waits for nothing; expected `dbt: run`, `dbt: test` or views"),
        (VALID + "    after: {dbt: run, latest: '09:00'}\n", "a manual report does not wait for data"),
        (VALID + "    schedule: daily\n    requires: {latest: '09:00'}\n", "it requires nothing; expected tests, fresh, complete or no_incident"),
        (VALID + "    schedule: daily\n    tiles: [{title: Won, sql: select 1, requires: {}}]\n", "'Won' requires nothing; expected tests, fresh, complete"),
        (VALID + "    schedule: daily\n    charts: [{title: By, sql: select 1, requires: {latest: '09:00'}}]\n", "unknown key 'latest'"),
        (VALID + "    charts: [{title: By, sql: select 1, requires: {tests: passed}}]\n", "a manual report is not held"),
        (VALID + "    schedule: daily\n    after: {dbt: run, latest: 9:00}\n", 'expected one in quotes: "09:30"'),
        (VALID + "    columns: {v: {unti: EUR}}\n", "reports.yml:5: unknown key 'unti'; did you mean 'unit'?"),
        (VALID + "    columns: {v: {date: TT.MM.JJJJ}}\n", "reports.yml:5: columns.v.date: 'TT.MM.JJJJ' is not a valid date format; expected e.g. DD.MM.YYYY"),
        (VALID + "    columns: {v: {percent: true, unit: EUR}}\n", "reports.yml:5: columns.v: percent and unit exclude each other"),
        (VALID + "    columns: {v: {decimals: 9}}\n", "columns.v.decimals: 9 is too large; expected 6 or less"),
        (
            VALID.replace("    sql: select 1\n", "    queries: [{title: t, sql: select 1}]\n") + "    columns: {v: {total: true}}\n",
            "reports.yml:5: a: columns belong to each of the queries",
        ),
        (
            VALID.replace("    sql: select 1\n", "    queries: [{title: t, sql: select 1, columns: {v: {hiden: true}}}]\n"),
            "unknown key 'hiden'; did you mean 'hidden'?",
        ),
        (VALID + VALID.removeprefix("reports:\n"), "name 'a' is used by two reports"),
    ],
)  # fmt: skip
def test_mistake_is_named_by_line_with_what_is_expected(tmp_path, text, expected):
    lines = problems(tmp_path, text)
    assert any(expected in line for line in lines), lines


def test_recipient_outside_the_allowed_domains_is_a_mistake(tmp_path, monkeypatch):
    monkeypatch.setenv("REPORT_ALLOWED_DOMAINS", "example.com, example.org")
    settings.cache_clear()
    (problem,) = problems(tmp_path, f"{VALID}    recipients: {{bcc: [eve@example.net]}}\n")
    assert "reports.yml:5: a: eve@example.net may not get reports" in problem
    assert problems(tmp_path, VALID + "    recipients: ann@Example.org\n") == []


def test_unknown_report_suggests_a_similar_name():
    with pytest.raises(DefinitionError, match="did you mean 'daily-pipeline'"):
        find(load(), "daily_pipeline")
