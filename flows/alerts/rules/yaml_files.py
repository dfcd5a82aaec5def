"""Load the rules of definitions/alerts.yml and definitions/thresholds.yml.

Reads the two files; writes nothing. Mistakes of both files are reported together, each with its line
and a fix.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

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
from flows.alerts.notifications.context import example_context
from flows.alerts.rules.dependencies import dependency_mistakes
from flows.alerts.rules.model import DEFAULT_EVERY, Kind, Rule
from flows.alerts.rules.validation import find_problems

FILES: dict[Kind, str] = {"alert": "alerts", "threshold": "thresholds"}
Definitions = dict[tuple[Kind, str], Rule]
"""Rules by kind and name."""


def definitions_dir() -> Path:
    """Return the folder of the definition files."""
    return project_root() / "definitions"


def load(folder: Path | None = None) -> Definitions:
    """Return the rules of both files.

    Raises:
        DefinitionError: the files have mistakes; one line for each.
    """
    rules: Definitions = {}
    sources: list[tuple[Kind, Rule, Entry]] = []
    mistakes: list[str] = []
    names: set[Any] = set()
    for kind, section in FILES.items():
        try:
            document = read((folder or definitions_dir()) / f"{section}.yml")
        except DefinitionError as error:
            mistakes += error.problems
            continue
        for entry in entries(document, section, mistakes):
            names |= {entry.content.get("name"), entry.content.get("was")}
            rule = _rule(entry, kind, mistakes)
            if rule and (kind, rule.name) in rules:
                mistakes.append(entry.at("name", f"there are two rules named {rule.name!r}"))
            elif rule:
                rules[kind, rule.name] = rule
                sources.append((kind, rule, entry))
    mistakes += _rename_mistakes(sources, rules)
    mistakes += dependency_mistakes([(rule, entry) for _, rule, entry in sources], names)
    if mistakes:
        raise DefinitionError(mistakes)
    return rules


def _rule(entry: Entry, kind: Kind, mistakes: list[str]) -> Rule | None:
    content = {"every": format_duration(DEFAULT_EVERY[kind]), **entry.content}
    rule, new_mistakes = validate(entry.document, entry.location, Rule, content)
    if rule is not None:
        new_mistakes = [entry.at(field, problem) for field, problem in find_problems(rule)]
        new_mistakes += _period_mistakes(entry, rule)
        new_mistakes = new_mistakes or _template_mistakes(entry, rule)
    mistakes += new_mistakes
    return None if new_mistakes else rule


def _period_mistakes(entry: Entry, rule: Rule) -> Iterator[str]:
    """Check that a rule with times of its own has no period; one of the defaults is for other rules."""
    if rule.has_own_times and (*entry.location, "every") in entry.document.lines:
        times = "at" if rule.at else "cron"
        yield entry.at("every", f"every and {times} exclude each other; remove one of them")


def _rename_mistakes(
    sources: Sequence[tuple[Kind, Rule, Entry]], rules: Definitions
) -> Iterator[str]:
    """Check that `was` names a rule that no longer exists, and each such rule once."""
    taken: set[tuple[Kind, str]] = set()
    for kind, rule, entry in sources:
        if rule.was is None:
            continue
        if (kind, rule.was) in rules:
            yield entry.at("was", f"{rule.was!r} is still the name of a rule; remove was")
        elif (kind, rule.was) in taken:
            yield entry.at("was", f"another rule was {rule.was!r}, too; remove one of them")
        taken.add((kind, rule.was))


def _template_mistakes(entry: Entry, rule: Rule) -> list[str]:
    """Render the templates of the rule with an example alert."""
    mistakes: list[str] = []
    context = example_context(rule)
    for part in ("subject", "text", "html"):
        source = getattr(rule.template, part)
        try:
            render(source or "", context, html=part == "html")
        except UserTemplateError as error:
            path = (*entry.location, "template", part)
            mistakes.append(entry.document.at(path, f"{rule.name}: {error}"))
    return mistakes


def find(rules: Definitions, name: str) -> Rule:
    """Return the rule of that name.

    Raises:
        DefinitionError: no rule has that name; suggests a similar one.
    """
    by_name = {rule.name: rule for rule in rules.values()}
    if name not in by_name:
        raise DefinitionError([f"No rule {name!r} found{did_you_mean(name, by_name)}"])
    return by_name[name]
