"""Read definition files in YAML and report every mistake with file, line and what is expected.

Reads the given file; writes nothing. `read` keeps the line of every key. `validate` turns a mapping
into a pydantic model and collects every mistake, so that one run shows them all.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError
from yaml.nodes import MappingNode, Node, SequenceNode

from analytics_worker.definitions.validation_messages import (
    Location,
    did_you_mean,
    validation_message,
)
from analytics_worker.errors import PermanentError

M = TypeVar("M", bound=BaseModel)
READ_FILES = {"alerts.yml", "thresholds.yml", "reports.yml", "calendar.yml", "trust.yml"}
"""The definition files of all domains."""


class DefinitionError(PermanentError):
    """A definition file can't be used; one line for each mistake, in the order of the lines."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = sorted(dict.fromkeys(problems), key=_file_and_line)
        super().__init__("\n".join(self.problems))


def _file_and_line(problem: str) -> tuple[str, int]:
    position = re.match(r"(.*?):(\d+): ", problem)
    return (position[1], int(position[2])) if position else ("", 0)


def unread_files(folder: Path) -> list[str]:
    """Return the YAML files of the folder that nothing reads, which their author may not expect."""
    files = (path.name for path in folder.glob("*") if path.suffix in {".yml", ".yaml"})
    return sorted(set(files) - READ_FILES)


@dataclass(frozen=True)
class Document:
    """A parsed YAML file, and the line on which each of its parts starts."""

    path: Path
    data: dict[str, Any]
    lines: dict[Location, int] = field(repr=False)

    def at(self, location: Location, problem: str) -> str:
        """Return ``alerts.yml:12: problem``, with the line of the part or of what surrounds it."""
        while location and location not in self.lines:
            location = location[:-1]
        return f"{self.path}:{self.lines.get(location, 1)}: {problem}"

    def at_field(self, entry: Location, field: Location, problem: str) -> str:
        """Return the problem with the line of an entry's field, or of the defaults if it is there."""
        is_own = (*entry, *field[:1]) in self.lines
        is_default = field and ("defaults", *field[:1]) in self.lines
        start: Location = ("defaults",) if is_default and not is_own else entry
        return self.at((*start, *field), problem)


def read(path: Path) -> Document:
    """Parse a YAML file whose content is a mapping.

    Raises:
        DefinitionError: it is missing, is not valid YAML, or has a key twice.
    """
    try:
        loader = yaml.SafeLoader(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError([f"{path}: can't be read: {error}"]) from error
    lines: dict[Location, int] = {}
    try:
        node = loader.get_single_node()
        data = _build(loader, node, (), lines) if node is not None else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = f"{path}:{mark.line + 1}" if mark else f"{path}"
        hint = ' (quote operators: operator: ">")' if "tag" in str(error.problem) else ""
        raise DefinitionError([f"{position}: not valid YAML: {error.problem}{hint}"]) from error
    if not isinstance(data, dict):
        raise DefinitionError([f"{path}:1: expected a mapping such as `alerts: [...]`"])
    return Document(path, cast("dict[str, Any]", data), lines)


def _build(
    loader: yaml.SafeLoader, node: Node, location: Location, lines: dict[Location, int]
) -> Any:
    """Return the plain value of a node, and record the line of every part in ``lines``."""
    lines.setdefault(location, node.start_mark.line + 1)
    if isinstance(node, SequenceNode):
        return [_build(loader, item, (*location, n), lines) for n, item in enumerate(node.value)]
    if not isinstance(node, MappingNode):
        return loader.construct_object(node)
    _refuse_duplicate_keys(node)
    loader.flatten_mapping(node)
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node)
        lines[(*location, key)] = key_node.start_mark.line + 1
        result[key] = _build(loader, value_node, (*location, key), lines)
    return result


def _refuse_duplicate_keys(node: MappingNode) -> None:
    keys: set[str] = set()
    for key, _ in node.value:
        if key.value in keys and key.value != "<<":
            raise yaml.MarkedYAMLError(
                problem=f"the key {key.value!r} appears twice", problem_mark=key.start_mark
            )
        keys.add(key.value)


@dataclass(frozen=True)
class Entry:
    """One definition in its file, with the file's defaults."""

    document: Document
    location: Location
    content: Mapping[str, Any]

    def at(self, field: str, problem: str) -> str:
        """Return the problem with the line of a field and the entry's name."""
        named = f"{self.content.get('name', 'entry')}: {problem}"
        return self.document.at_field(self.location, (field,), named)


def entries(document: Document, section: str, mistakes: list[str]) -> list[Entry]:
    """Return the definitions in the list of that name, each merged with ``defaults:``."""
    for key in document.data:
        if key not in {section, "defaults"}:
            known = [section, "defaults"]
            mistakes.append(document.at((key,), f"unknown key {key!r}{did_you_mean(key, known)}"))
    defaults, listed = document.data.get("defaults") or {}, document.data.get(section) or []
    if not isinstance(listed, list) or not isinstance(defaults, dict):
        mistakes.append(document.at((section,), f"expected `{section}:` and a list below it"))
        return []
    result: list[Entry] = []
    for number, content in enumerate(cast("list[Any]", listed)):
        if isinstance(content, dict):
            merged = {**cast("dict[str, Any]", defaults), **cast("dict[str, Any]", content)}
            result.append(Entry(document, (section, number), merged))
        else:
            mistakes.append(
                document.at((section, number), "expected an entry that starts with `- name: …`")
            )
    return result


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the keys that differ between two definitions, each with its value before and after."""
    names = sorted({*before, *after})
    return {n: (before.get(n), after.get(n)) for n in names if before.get(n) != after.get(n)}


def validate(
    document: Document, location: Location, model: type[M], content: Mapping[str, Any]
) -> tuple[M | None, list[str]]:
    """Return the model of a part of the document, or None and its mistakes, each with its line."""
    try:
        return model.model_validate(content), []
    except ValidationError as error:
        return None, [
            document.at_field(
                location,
                _field_location(document, location, item["loc"]),
                validation_message(model, item),
            )
            for item in error.errors()
        ]


def _field_location(document: Document, start: Location, loc: Location) -> Location:
    """Return pydantic's location with the keys of the file, without the names of validators."""
    found: Location = ()
    for part in loc:
        is_key = (*start, *found, part) in document.lines
        if is_key or isinstance(part, int) or part.isidentifier():
            found = (*found, part)
    return found
