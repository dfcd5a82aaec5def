"""Load the report definitions of definitions/reports.yml.

Reads the file; writes nothing. All mistakes are reported at once, each with its line and what is expected.
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
    """Return the folder of the definition files."""
    return project_root() / "definitions"


def load(folder: Path | None = None) -> Definitions:
    """Load all reports of the file.

    Raises:
        DefinitionError: the file is not valid; one line for each mistake.
    """
    reports: Definitions = {}
    mistakes: list[str] = []
    document = read((folder or definitions_dir()) / f"{SECTION}.yml")
    for entry in entries(document, SECTION, mistakes):
        report = _report(entry, mistakes)
        if report and report.name in reports:
            mistakes.append(entry.at("name", f"name {report.name!r} is used by two reports"))
        elif report:
            reports[report.name] = report
    if mistakes:
        raise DefinitionError(mistakes)
    return reports


def _report(entry: Entry, mistakes: list[str]) -> Report | None:
    report, own_mistakes = validate(entry.document, entry.location, Report, entry.content)
    if report is None:
        mistakes += own_mistakes
        return None
    own_mistakes = [entry.at(field, problem) for field, problem in problems(report)]
    if report.owner is None:
        text = "owner is missing; expected the address to notify if the report fails"
        own_mistakes.append(entry.at("owner", text))
    try:
        check_recipients(report.recipients)
    except RecipientError as error:
        own_mistakes.append(entry.at("recipients", str(error)))
    mistakes += own_mistakes
    return None if own_mistakes else report


def find(reports: Definitions, name: str) -> Report:
    """Return the report of that name.

    Raises:
        DefinitionError: there is none; suggests a similar name.
    """
    if name not in reports:
        raise DefinitionError([f"There is no report {name!r}{did_you_mean(name, reports)}"])
    return reports[name]
