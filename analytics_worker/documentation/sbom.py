"""Write the software bill of materials: ``python -m analytics_worker.documentation.sbom FILE``.

A CycloneDX document of every package of requirements.lock: version, hashes of its files, license, and what requires it.
Packages of extras and of development have the scope ``optional``. Reads pyproject.toml, the lock and the metadata of
installed packages. The same lock gives the same document.
"""

import hashlib
import json
import sys
import tomllib
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from analytics_worker.documentation.licenses import Package, packages
from analytics_worker.settings import project_root

SPECIFICATION = "1.6"
NOT_SPDX = frozenset({"BSD", "not installed"})
LOCK = "requirements.lock"


def document() -> dict[str, Any]:
    """Return the document."""
    project = tomllib.loads((project_root() / "pyproject.toml").read_text())["project"]
    locked = packages()
    digest = hashlib.sha256((project_root() / LOCK).read_bytes()).digest()
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}",
        "version": 1,
        "metadata": {"component": _application(project)},
        "components": [_component(package) for package in locked],
        "dependencies": _dependencies(project["name"], locked),
    }


def _application(project: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "application",
        "bom-ref": project["name"],
        "name": project["name"],
        "version": project["version"],
        "description": project["description"],
        "licenses": [{"license": {"id": project["license"]}}],
    }


def _component(package: Package) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": _reference(package),
        "name": package.name,
        "version": package.version,
        "scope": "required" if package.kind == "runtime" else "optional",
        "hashes": [{"alg": "SHA-256", "content": each} for each in package.hashes],
        "licenses": _licenses(package.license),
        "purl": f"pkg:pypi/{package.name}@{package.version}",
        "properties": [{"name": "analytics-worker:required-by", "value": package.kind}],
    }


def _licenses(expression: str) -> list[dict[str, Any]]:
    if expression in NOT_SPDX:
        return [{"license": {"name": expression}}]
    return [{"expression": expression}]


def _reference(package: Package) -> str:
    """Return the name in the document; the lock can have two versions, for different systems."""
    return f"{package.name}@{package.version}"


def _dependencies(root: str, locked: Sequence[Package]) -> list[dict[str, Any]]:
    """Return what each package requires; of extras of the project, too."""
    own = [{"ref": root, "dependsOn": _required_by(root, locked)}]
    others = [
        {"ref": _reference(package), "dependsOn": _required_by(package.name, locked)}
        for package in locked
    ]
    return own + others


def _required_by(name: str, locked: Iterable[Package]) -> list[str]:
    return sorted({_reference(package) for package in locked if name in package.required_by})


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(document(), indent=1) + "\n")
