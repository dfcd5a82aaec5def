"""``analytics-worker reports``: commands and their output."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from analytics_worker.cli.reports import reports
from tests.support.sql import query

pytestmark = pytest.mark.usefixtures("report_folder")

TWO = """reports:
  - name: a
    sql: select 1 as n
    schedule: daily
    recipients: [ann@example.com]
    owner: o@example.com
  - name: b
    sql: select 2 as n
    owner: o@example.com
"""


@pytest.fixture
def run_command(tmp_path: Path):
    """Return a function that runs a command on a definition file."""
    (tmp_path / "reports.yml").write_text(TWO)

    def run(*arguments: str, change: tuple[str, str] | None = None) -> tuple[int, str]:
        if change:
            path = tmp_path / "reports.yml"
            path.write_text(path.read_text().replace(*change))
        options = () if arguments[0] == "resend" else ("--definitions", str(tmp_path))
        result = CliRunner().invoke(reports, [*arguments, *options])
        return result.exit_code, result.output

    return run


def test_validate(run_command):
    assert run_command("validate") == (0, "2 reports are valid\n")
    code, output = run_command("validate", change=("schedule: daily", "schedule: dayly"))
    assert code == 1
    assert "reports.yml:4: schedule: 'dayly' is not valid" in output


def test_diff_and_sync(run_command):
    assert run_command("diff") == (0, "new      a\nnew      b\n")
    assert query("select count(*) from ops.report_definitions") == [0]
    assert run_command("sync") == (0, "new      a\nnew      b\n")
    _, output = run_command("sync", change=("select 2", "select 3"))
    assert output == "changed  b\n           sql: 'select 2 as n' → 'select 3 as n'\n"
    assert query("select name from ops.report_definitions order by 1") == ["a", "b"]
    assert run_command("diff") == (0, "nothing to change\n")
    code, output = run_command("sync", change=("name: b", "name: c"))
    assert (code, sorted(output.splitlines())) == (0, ["new      c", "retired  b"])


def test_run_and_resend(run_command, smtp_sink):
    code, output = run_command("run", "a", "--period", "2026-11-24")
    assert code == 0, output
    assert "2026-11-24  a: 1 row\n" in output
    assert output.endswith("1 message sent\n")
    (run_id,) = query("select id from ops.report_runs")
    assert run_command("resend", str(run_id)) == (0, "1 message sent\n")
    code, output = run_command("resend", str(run_id), "--failed")
    assert (code, "none of its deliveries failed" in output) == (1, True)
    assert len(set(smtp_sink.ids())) == 2


def test_run_reports_errors(run_command):
    code, output = run_command("run", "aa")
    assert (code, "did you mean 'a'?" in output) == (1, True)
    code, output = run_command("run", "a", "--period", "2026-11")
    assert (code, "expected one like 2026-11-22" in output) == (1, True)
    code, output = run_command("run", "a", change=("select 1 as n", "select nope"))
    assert (code, 'column "nope" does not exist' in output) == (1, True)
