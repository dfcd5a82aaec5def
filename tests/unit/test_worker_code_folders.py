"""Which entrypoints are code of a trusted folder; nothing is imported to find out."""

import sys
from pathlib import Path
from typing import cast

import pytest

from analytics_worker.settings import project_root
from analytics_worker.worker.code_folders import CodeFolderError, CodeFolders
from tests.support.attacks import attack
from tests.support.jobs import deployment_of, job_of, policy_of, refusal, trusted_folder


@pytest.fixture
def code(tmp_path: Path) -> Path:
    return trusted_folder(tmp_path)


@attack(
    by="API caller",
    what="an entrypoint outside the trusted folders: os.system, an installed module, a path, a link, a report file",
    answer="Failed before anything is imported: which entrypoint, and why",
)
@pytest.mark.parametrize(
    "entrypoint",
    [
        "os.system",
        "subprocess.run",
        "os:system",
        "pip.__main__.main",
        "prefect.utilities.processutils.run_process",
        "yaml.evil.flow",
        "/etc/passwd.py:flow",
        "../outside.py:flow",
        "link.py:flow",
        "reports/evil.py:flow",
        "linked/evil.py:flow",
        "reports.evil.flow",
        ".venv/lib/python3.11/site-packages/pip/__main__.py:main",
        "report.csv:flow",
        "missing.py:flow",
        "unpacked.flow",
        "team_flows.missing.flow",
        "script.py:os.system",
        "team_flows.daily:os.system",
        "script.py:x.py:flow",
        "script.py:",
        "a\0b.py:flow",
        "x" * 5000 + ".py:flow",
        "team_flows..daily.flow",
        "flow",
        "",
        None,
        "broken.py:broken",
        "script.py:missing",
        "script.py:SETTINGS",
        "script.py:cached",
        "script.py:inner",
        "script.py:Steps",
        "script.py:team_flow",
        "team_flows/steps.py:run",
        "team_flows.steps.run",
        "team_flows.steps:run",
        "flows.alerts._thresholds.run",
    ],
)
def test_an_entrypoint_that_is_not_trusted_code_is_refused(code: Path, entrypoint: str | None):
    before = set(sys.modules)
    message = refusal(code, job_of(), deployment_of(code, cast("str", entrypoint)))
    assert "the deployment's entrypoint" in message
    assert set(sys.modules) == before
    assert len(message) < 400


@pytest.mark.parametrize(
    ("entrypoint", "loaded"),
    [
        ("script.py:daily", "{code}/script.py:daily"),
        ("{code}/script.py:daily", "{code}/script.py:daily"),
        ("team_flows.daily.run", "team_flows.daily.run"),
        ("team_flows.daily:run", "team_flows.daily:run"),
        ("team_flows.run", "team_flows.run"),
        ("unpacked.deep.b.run", "unpacked.deep.b.run"),
        ("script.py:hourly", "{code}/script.py:hourly"),
        ("script.py:weekly", "{code}/script.py:weekly"),
        ("script.py:monthly", "{code}/script.py:monthly"),
        ("flows.alerts.pending.process_pending_alerts", None),
    ],
)
def test_code_in_a_trusted_folder_is_run(code: Path, entrypoint: str, loaded: str | None):
    given = entrypoint.format(code=code)
    code_location = policy_of(code).code_location(job_of(), deployment_of(code, given))
    assert code_location.entrypoint == (loaded or given).format(code=code)


@attack(
    by="API caller",
    what="an entrypoint that is a test, a benchmark, or a module of the project that is no flow",
    answer="Failed before anything is imported: only flows/ and WORKER_CODE_FOLDERS hold flows",
)
@pytest.mark.parametrize(
    "entrypoint",
    [
        "tests/flows/test_states.py:flow",
        "tests.flows.monitoring.test_task_statistics.waiting",
        "tests/support/guarded_server.py:victim",
        "tests.support.guarded_server.victim",
        "benchmarks/soak.py:measure",
        "benchmarks.soak.measure",
        "benchmarks.__main__.main",
        "analytics_worker.stack.pdeathsig_exec.main",
        "analytics_worker.worker.fork_server.process.main",
        "analytics_worker.prefect_support.flow.flow",
        "analytics_worker.cli.worker.worker",
        "setup-environment.py:flow",
        "flows/../tests/support/guarded_server.py:victim",
        "tests/support/cases/cases.py:flow",
        "benchmarks/__main__.py:flow",
        "analytics_worker/stack/__init__.py:flow",
        "tests.conftest.flow",
        "benchmarks.__main__.flow",
        "analytics_worker.exporter.__main__.main",
    ],
)
def test_an_entrypoint_in_another_folder_of_the_project_is_refused(code: Path, entrypoint: str):
    before = set(sys.modules)
    deployment = deployment_of(project_root(), entrypoint)
    assert "cannot be run" in refusal(code, job_of(), deployment)
    assert set(sys.modules) == before


@attack(
    by="API caller",
    what="a pull step that starts a run in tests/ or analytics_worker/, whose files would hide libraries",
    answer="Failed, or a flow of the project, started in the project's folder",
)
@pytest.mark.parametrize(
    "folder", ["tests", "tests/support", "benchmarks", "analytics_worker", ".venv"]
)
def test_a_run_does_not_start_in_another_folder_of_the_project(code: Path, folder: str):
    other = deployment_of(project_root() / folder, "team_flows.daily.run")
    assert "not inside a trusted folder" in refusal(code, job_of(), other)
    own = deployment_of(project_root() / folder, "flows.analytics.catalog.refresh_catalog")
    assert policy_of(code).code_location(job_of(), own).directory == project_root()


def test_an_edit_of_a_flow_file_is_seen(code: Path):
    deployment = deployment_of(code, "script.py:nightly")
    assert "defines no flow of that name" in refusal(code, job_of(), deployment)
    (code / "script.py").write_text("from prefect import flow\n@flow\ndef nightly(): ...\n")
    assert (
        policy_of(code).code_location(job_of(), deployment).entrypoint.endswith("script.py:nightly")
    )


def test_a_code_folder_that_the_worker_writes_into_is_refused_when_it_starts(code: Path):
    with pytest.raises(CodeFolderError, match=r"WORKER_CODE_FOLDERS: .*linked is inside"):
        CodeFolders.of(project_root(), [code / "linked"], [code / "reports"])
    with pytest.raises(CodeFolderError, match="is not a folder"):
        CodeFolders.of(project_root(), [code / "missing"], [])


def test_a_project_below_the_state_directory_is_still_trusted(tmp_path: Path):
    project = tmp_path / "app"
    (project / "state").mkdir(parents=True)
    folders = CodeFolders.of(project, [], [tmp_path, project / "state"])
    assert folders.allow_start_in(project)
    assert folders.contain(project / "flows/daily.py")
    assert not folders.contain(project / "state/flows/daily.py")
    assert not folders.contain(tmp_path / "flow.py")
