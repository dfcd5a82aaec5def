"""Definition files in YAML whose mistakes are named by file and line, with what to write instead.

Reads the file that it is given; writes nothing. `read` keeps the line of every key; `validate`
turns a mapping into a pydantic model and collects every mistake, so that one run shows them all.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError
from yaml.nodes import MappingNode, Node, SequenceNode

from analytics_worker.definitions.validation_messages import Place, instead, plain, sentence
from analytics_worker.errors import PermanentError

M = TypeVar("M", bound=BaseModel)


class DefinitionError(PermanentError):
    """A definition file can't be used; one line for each mistake, in the order of the lines."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep the single mistakes beside the message."""
        self.problems = sorted(dict.fromkeys(problems), key=_file_and_line)
        super().__init__("\n".join(self.problems))


def _file_and_line(problem: str) -> tuple[str, int]:
    found = re.match(r"(.*?):(\d+): ", problem)
    return (found[1], int(found[2])) if found else ("", 0)


@dataclass(frozen=True)
class Document:
    """A parsed YAML file, and the line on which each of its parts starts."""

    path: Path
    data: dict[str, Any]
    lines: dict[Place, int] = field(repr=False)

    def at(self, place: Place, problem: str) -> str:
        """``alerts.yml:12: problem``, for the part or what surrounds it."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.path}:{self.lines.get(place, 1)}: {problem}"

    def at_field(self, entry: Place, field: Place, problem: str) -> str:
        """The problem with the line of an entry's field; of the defaults, if it comes from there."""
        is_own = (*entry, *field[:1]) in self.lines
        is_default = field and ("defaults", *field[:1]) in self.lines
        start: Place = ("defaults",) if is_default and not is_own else entry
        return self.at((*start, *field), problem)


def read(path: Path) -> Document:
    """Parse a YAML file whose content is a mapping.

    Raises:
        DefinitionError: it is missing, is no YAML, or says a key twice.
    """
    try:
        loader = yaml.SafeLoader(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError([f"{path}: can't be read: {error}"]) from error
    lines: dict[Place, int] = {}
    try:
        node = loader.get_single_node()
        data = _build(loader, node, (), lines) if node is not None else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        hint = ' (quote operators: operator: ">")' if "tag" in str(error.problem) else ""
        raise DefinitionError([f"{where}: no valid YAML: {error.problem}{hint}"]) from error
    if not isinstance(data, dict):
        raise DefinitionError([f"{path}:1: expected a mapping such as `alerts: [...]`"])
    return Document(path, cast("dict[str, Any]", data), lines)


def _build(loader: yaml.SafeLoader, node: Node, place: Place, lines: dict[Place, int]) -> Any:
    """The plain value of a node; notes the line of every part."""
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, SequenceNode):
        return [_build(loader, item, (*place, n), lines) for n, item in enumerate(node.value)]
    if not isinstance(node, MappingNode):
        return loader.construct_object(node)
    _refuse_twice(node)
    loader.flatten_mapping(node)
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node)
        lines[(*place, key)] = key_node.start_mark.line + 1
        result[key] = _build(loader, value_node, (*place, key), lines)
    return result


def _refuse_twice(node: MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.value in seen and key.value != "<<":
            raise yaml.MarkedYAMLError(
                problem=f"the key {key.value!r} is there twice", problem_mark=key.start_mark
            )
        seen.add(key.value)


@dataclass(frozen=True)
class Entry:
    """One definition in its file, with the file's defaults."""

    document: Document
    place: Place
    content: Mapping[str, Any]

    def at(self, field: str, problem: str) -> str:
        """The problem with the line of a field, and the entry's name."""
        named = f"{self.content.get('name', 'entry')}: {problem}"
        return self.document.at_field(self.place, (field,), named)


def entries(document: Document, section: str, mistakes: list[str]) -> list[Entry]:
    """The definitions in the list of that name, each with what stands below ``defaults:``."""
    for key in document.data:
        if key not in {section, "defaults"}:
            known = [section, "defaults"]
            mistakes.append(document.at((key,), f"unknown key {key!r}{instead(key, known)}"))
    defaults, listed = document.data.get("defaults") or {}, document.data.get(section) or []
    if not isinstance(listed, list) or not isinstance(defaults, dict):
        mistakes.append(document.at((section,), f"write `{section}:` and a list below it"))
        return []
    found: list[Entry] = []
    for number, content in enumerate(cast("list[Any]", listed)):
        if isinstance(content, dict):
            merged = {**cast("dict[str, Any]", defaults), **cast("dict[str, Any]", content)}
            found.append(Entry(document, (section, number), merged))
        else:
            mistakes.append(document.at((section, number), "an entry starts with `- name: …`"))
    return found


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What is different between two definitions: before and after, by key."""
    names = sorted({*before, *after})
    return {n: (before.get(n), after.get(n)) for n in names if before.get(n) != after.get(n)}


def validate(
    document: Document, place: Place, model: type[M], content: Mapping[str, Any]
) -> tuple[M | None, list[str]]:
    """Make the model of a part of the document; or None and its mistakes, each with its line."""
    try:
        return model.model_validate(content), []
    except ValidationError as error:
        return None, [
            document.at_field(place, plain(item["loc"]), sentence(model, item))
            for item in error.errors()
        ]
