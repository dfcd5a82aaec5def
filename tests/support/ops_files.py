"""The files of ops/ as they are parsed: compose services, units of systemd, manifests of Kubernetes."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from analytics_worker.settings import project_root

OPS = project_root() / "ops"
KUBERNETES = OPS / "kubernetes"
OVERLAYS = sorted(path.parent for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))
UNITS = sorted((OPS / "systemd").glob("*.service"))
ENV_FILES = [*sorted(OPS.rglob("*.env.example")), OPS / "systemd/environment.example"]
_REFERENCE = re.compile(r"\$\{(\w+)(?::?(?P<how>[-?])(?P<more>[^}]*))?\}")
_ASSIGNMENT = re.compile(r"^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$", re.MULTILINE)


def compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return ops/compose.yml with its references replaced; a variable without value and default is empty."""

    def value(match: re.Match[str]) -> str:
        default = match["more"] if match["how"] == "-" else ""
        return variables.get(match[1]) or default or ""

    return yaml.safe_load(_REFERENCE.sub(value, (OPS / "compose.yml").read_text()))


def compose_references() -> dict[str, bool]:
    """Return the variables that ops/compose.yml refers to, and whether it requires them."""
    found: dict[str, bool] = {}
    for match in _REFERENCE.finditer((OPS / "compose.yml").read_text()):
        found[match[1]] = found.get(match[1], False) or match["how"] == "?"
    return found


def assignments(path: Path) -> dict[str, str]:
    """Return the variables of an example file, those in comments, too."""
    return dict(_ASSIGNMENT.findall(path.read_text()))


def documents(path: Path) -> list[dict[str, Any]]:
    """Return the documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text()))


def manifests() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every manifest of the base and the overlays, without Kustomize's own files and patches."""
    for folder in (KUBERNETES / "base", *OVERLAYS):
        kustomization = documents(folder / "kustomization.yaml")[0]
        for name in kustomization["resources"]:
            if (folder / name).is_file():
                yield from ((folder / name, document) for document in documents(folder / name))


def containers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the containers of a manifest, or of a patch of one."""
    pod = manifest.get("spec", {}).get("template", {}).get("spec", {})
    return [*pod.get("initContainers", []), *pod.get("containers", [])]


def unit(path: Path) -> dict[str, list[str]]:
    """Return the options of a unit, with all values of each."""
    options: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            options.setdefault(name, []).append(value)
    return options
