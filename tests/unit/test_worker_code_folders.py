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
        ("flows.alerts.pending.process_pending_alerts", None),
    ],
)
def test_code_in_a_trusted_folder_is_run(code: Path, entrypoint: str, loaded: str | None):
    given = entrypoint.format(code=code)
    code_location = policy_of(code).code_location(job_of(), deployment_of(code, given))
    assert code_location.entrypoint == (loaded or given).format(code=code)


def test_a_code_folder_that_the_worker_writes_into_is_refused_when_it_starts(code: Path):
    with pytest.raises(CodeFolderError, match=r"WORKER_CODE_FOLDERS: .*linked is inside"):
        CodeFolders.of(project_root(), [code / "linked"], [code / "reports"])
    with pytest.raises(CodeFolderError, match="is not a folder"):
        CodeFolders.of(project_root(), [code / "missing"], [])


def test_a_project_below_the_state_directory_is_still_trusted(tmp_path: Path):
    project = tmp_path / "app"
    (project / "state").mkdir(parents=True)
    folders = CodeFolders.of(project, [], [tmp_path, project / "state"])
    assert folders.contain(project / "flow.py")
    assert not folders.contain(project / "state/flow.py")
    assert not folders.contain(tmp_path / "flow.py")
