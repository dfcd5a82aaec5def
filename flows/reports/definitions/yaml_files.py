"""Reports as code: definitions/reports.yml.

Reads the file; writes nothing. Every mistake is reported at once, each with its line and what to write
instead.
"""

from pathlib import Path

from analytics_worker.definitions.yaml_definitions import (
    DefinitionError,
    Entry,
    did_you_mean,
    entries,
    read,
    validate,
)
from analytics_worker.settings import project_root
from flows.reports.definitions.model import Report
from flows.reports.definitions.validation import problems
from flows.reports.output.recipients import RecipientError, check_recipients

SECTION = "reports"
Definitions = dict[str, Report]
"""Reports by name."""


def definitions_dir() -> Path:
    """Folder of the definition files."""
    return project_root() / "definitions"


def load(folder: Path | None = None) -> Definitions:
    """All reports of the file.

    Raises:
        DefinitionError: something is wrong; one line for each mistake.
    """
    reports: Definitions = {}
    mistakes: list[str] = []
    document = read((folder or definitions_dir()) / f"{SECTION}.yml")
    for entry in entries(document, SECTION, mistakes):
        report = _report(entry, mistakes)
        if report and report.name in reports:
            mistakes.append(entry.at("name", f"there are two reports named {report.name!r}"))
        elif report:
            reports[report.name] = report
    if mistakes:
        raise DefinitionError(mistakes)
    return reports


def _report(entry: Entry, mistakes: list[str]) -> Report | None:
    report, found = validate(entry.document, entry.location, Report, entry.content)
    if report is None:
        mistakes += found
        return None
    found = [entry.at(field, problem) for field, problem in problems(report)]
    if report.owner is None:
        found.append(entry.at("owner", "owner is missing: the address that hears if it fails"))
    try:
        check_recipients(report.recipients)
    except RecipientError as error:
        found.append(entry.at("recipients", str(error)))
    mistakes += found
    return None if found else report


def find(reports: Definitions, name: str) -> Report:
    """The report of that name.

    Raises:
        DefinitionError: there is none; names a similar one.
    """
    if name not in reports:
        raise DefinitionError([f"There is no report {name!r}{did_you_mean(name, reports)}"])
    return reports[name]
