"""Rules as code: definitions/alerts.yml and definitions/thresholds.yml.

Reads the two files; writes nothing. Every mistake of both files is reported at once, each with its
line and what to write instead.
"""

from pathlib import Path

from analytics_worker.definitions.durations import format_duration
from analytics_worker.definitions.yaml_definitions import (
    DefinitionError,
    Entry,
    did_you_mean,
    entries,
    read,
    validate,
)
from analytics_worker.settings import project_root
from analytics_worker.user_templates.rendering import UserTemplateError, render
from flows.alerts.notifications.rendering import sample_context
from flows.alerts.rules.model import EVERY, Kind, Rule
from flows.alerts.rules.validation import problems

FILES: dict[Kind, str] = {"alert": "alerts", "threshold": "thresholds"}
Definitions = dict[tuple[Kind, str], Rule]
"""Rules by kind and name."""


def definitions_dir() -> Path:
    """Folder of the definition files."""
    return project_root() / "definitions"


def load(folder: Path | None = None) -> Definitions:
    """All rules of both files.

    Raises:
        DefinitionError: something is wrong; one line for each mistake.
    """
    rules: Definitions = {}
    mistakes: list[str] = []
    for kind, section in FILES.items():
        try:
            document = read((folder or definitions_dir()) / f"{section}.yml")
        except DefinitionError as error:
            mistakes += error.problems
            continue
        for entry in entries(document, section, mistakes):
            rule = _rule(entry, kind, mistakes)
            if rule and (kind, rule.name) in rules:
                mistakes.append(entry.at("name", f"there are two rules named {rule.name!r}"))
            elif rule:
                rules[kind, rule.name] = rule
    if mistakes:
        raise DefinitionError(mistakes)
    return rules


def _rule(entry: Entry, kind: Kind, mistakes: list[str]) -> Rule | None:
    content = {"every": format_duration(EVERY[kind]), **entry.content}
    rule, found = validate(entry.document, entry.location, Rule, content)
    if rule is None:
        mistakes += found
        return None
    found = [entry.at(field, problem) for field, problem in problems(rule)]
    if not found:
        found = _template_mistakes(entry, rule)
    mistakes += found
    return None if found else rule


def _template_mistakes(entry: Entry, rule: Rule) -> list[str]:
    """Try the rule's own templates on a made-up alert."""
    found: list[str] = []
    context = sample_context(rule)
    for part in ("subject", "text", "html"):
        source = getattr(rule.template, part)
        try:
            render(source or "", context, html=part == "html")
        except UserTemplateError as error:
            place = (*entry.location, "template", part)
            found.append(entry.document.at(place, f"{rule.name}: {error}"))
    return found


def find(rules: Definitions, name: str) -> Rule:
    """The rule of that name.

    Raises:
        DefinitionError: there is none; names a similar one.
    """
    by_name = {rule.name: rule for rule in rules.values()}
    if name not in by_name:
        raise DefinitionError([f"There is no rule {name!r}{did_you_mean(name, by_name)}"])
    return by_name[name]
