"""The manifests of ops/kubernetes are valid, locked down, and the overlays refer to what exists."""

import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest

from analytics_worker.cli import COMMANDS
from tests.support.ops_files import KUBERNETES, OVERLAYS, containers, documents, manifests

KUBERNETES_VERSIONS = ("1.29", "1.37")


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_manifests_are_valid(version: str):
    found = list(manifests())
    assert {"Deployment", "StatefulSet", "Job", "PodDisruptionBudget"} <= {
        m["kind"] for _, m in found
    }
    for _, manifest in found:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_what_kubernetes_does_not_know_is_found():
    manifest = documents(KUBERNETES / "base/worker.yaml")[0]
    manifest["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, KUBERNETES_VERSIONS[0], strict=True)


def test_pods_are_locked_down_and_probed():
    pods = [m["spec"]["template"]["spec"] for _, m in manifests() if containers(m)]
    assert pods
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
    for container in (each for _, manifest in manifests() for each in containers(manifest)):
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["args"][0] in COMMANDS
        assert "livenessProbe" in container or container["name"] in {"migrate", "deploy"}


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_an_overlay_refers_to_what_exists(overlay: Path):
    """Kustomize ignores replicas and images of unknown names, and refuses patches of unknown objects."""
    content = documents(overlay / "kustomization.yaml")[0]
    base = {
        (m["kind"], m["metadata"]["name"]): m for path, m in manifests() if "base" in path.parts
    }
    for entry in content["replicas"]:
        assert ("Deployment", entry["name"]) in base
    assert {entry["name"] for entry in content["images"]} == {"analytics-worker"}
    for patch in (documents(overlay / each["path"])[0] for each in content.get("patches", [])):
        original = base[patch["kind"], patch["metadata"]["name"]]
        names = {container["name"] for container in containers(original)}
        assert {container["name"] for container in containers(patch)} <= names
    for secret in content["secretGenerator"]:
        for file in secret["envs"]:
            assert (KUBERNETES / f"{file}.example").is_file()


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_kustomize_builds_an_overlay(overlay: Path, tmp_path: Path):
    tool = shutil.which("kustomize")
    if tool is None:
        pytest.skip("kustomize is not on PATH")
    copy = shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    folder = copy / "overlays" / overlay.name
    for example in copy.glob("*.env.example"):
        shutil.copy(example, folder / example.stem)
    subprocess.run([tool, "build", str(folder)], check=True, capture_output=True, timeout=60)
