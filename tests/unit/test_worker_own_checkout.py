"""A deployment of this project runs from the worker's own checkout, and its version is compared."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analytics_worker.settings import project_root
from analytics_worker.source_version import source_version
from analytics_worker.worker.job_override_policy import JobPolicy, JobRefusedError
from analytics_worker.worker.run_spec import CodeLocation
from tests.support.attacks import attack
from tests.support.jobs import deployment_of, job_of, policy_of, trusted_folder

FLOW = "flows.analytics.catalog.refresh_catalog"
OLD = "0.0.1+000000000000"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    return trusted_folder(tmp_path)


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """Another checkout on this host, with other code."""
    folder = tmp_path / "older"
    (folder / "flows/analytics").mkdir(parents=True)
    (folder / "flows/analytics/catalog.py").write_text("raise SystemExit('older code')")
    return folder


def policies(code: Path) -> list[JobPolicy]:
    """Without and with job overrides."""
    policy = policy_of(code)
    return [policy, replace(policy, allow_overrides=True)]


def location(policy: JobPolicy, deployment: Any) -> CodeLocation:
    if not policy.allow_overrides:
        return policy.code_location(job_of(), deployment)
    found = policy.any_code_location(deployment)
    assert found
    return found


@attack(
    by="API caller",
    what="a deployment of a flow of this project whose pull step names a folder that is missing, or has other code",
    answer="the flow of the worker's own checkout is run",
)
@pytest.mark.parametrize("folder", ["/srv/nowhere", "older"])
def test_another_hosts_folder_does_not_matter(code: Path, older: Path, folder: str):
    named = older.parent / folder
    for policy in policies(code):
        found = location(policy, deployment_of(named, FLOW, version=source_version()))
        assert (found.directory, found.entrypoint, found.note) == (project_root(), FLOW, None)


def test_another_project_in_a_trusted_folder_stays_there(code: Path):
    for policy in policies(code):
        other = deployment_of(code, "team_flows.daily.run", version="7")
        found = location(policy, other)
        assert (found.directory, found.note) == (code, None)


def test_with_overrides_another_project_with_a_package_flows_stays_where_it_is(
    code: Path, older: Path
):
    policy = policies(code)[1]
    assert location(policy, deployment_of(older, FLOW, version="7")).directory == older
    ours = deployment_of(older, FLOW, version=OLD)
    assert location(policy, ours).directory == project_root()


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (OLD, f"The deployment was made from version {OLD}"),
        (None, "without a version of the code"),
        ("x\n\x1b[31m", "without a version of the code"),
    ],
)
def test_another_version_is_named_and_with_strict_versions_refused(
    code: Path, version: str | None, text: str
):
    for policy in policies(code):
        deployment = deployment_of(project_root(), FLOW, version=version)
        note = str(location(policy, deployment).note)
        assert text in note
        assert source_version() in note
        assert "\n" not in note
        with pytest.raises(JobRefusedError, match="WORKER_STRICT_VERSION") as refused:
            location(replace(policy, strict_version=True), deployment)
        assert source_version() in str(refused.value)


def test_a_flow_that_this_checkout_lacks_is_refused_with_both_versions(code: Path):
    deployment = deployment_of(project_root(), "flows.analytics.new.flow", version=OLD)
    with pytest.raises(JobRefusedError, match="there is no such module") as refused:
        policy_of(code).code_location(job_of(), deployment)
    assert OLD in str(refused.value)
    assert source_version() in str(refused.value)
