"""The attacks that tests carry out, and the page that lists them: ``python -m tests.support.attacks``.

A test that attacks is marked with ``@attack(by=…, what=…, answer=…)``; the page docs/attacks.md is made
from those calls, and a contract test keeps it equal. Reads the source of the tests; writes the page.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "attacks.md"
ATTACKERS = {
    "web page": "A page that the user of the host visits in a browser",
    "data": "The owner of a value in a table that a rule or report reads",
    "author": "The author of a rule, a report or its template",
    "API caller": "A client that may use the Prefect API",
    "local user": "Another account of the same machine",
    "network": "A host that answers or listens on the network",
}


@dataclass(frozen=True)
class Attack:
    """One row of the page."""

    by: str
    what: str
    answer: str
    test: str


def attack(*, by: str, what: str, answer: str) -> pytest.MarkDecorator:
    """Mark a test with who attacks, how, and what they get; literal texts only."""
    if by not in ATTACKERS:
        raise ValueError(f"by={by!r} is not a known attacker; expected one of {list(ATTACKERS)}")
    return pytest.mark.attack(by=by, what=what, answer=answer)


def attacks() -> list[Attack]:
    """Every attack of the tests, in the order of files and lines."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [each for file in files for each in _in_file(file)]


def _in_file(file: Path) -> Iterator[Attack]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for call in filter(_is_attack, node.decorator_list):
                yield Attack(**_arguments(call), test=f"{file.relative_to(ROOT)}::{node.name}")


def _is_attack(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "attack"
    )


def _arguments(call: ast.expr) -> dict[str, str]:
    assert isinstance(call, ast.Call)
    return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}


def page() -> str:
    """Text of docs/attacks.md."""
    lines = [
        "# Attacks",
        "",
        "Each row is carried out by the test that it names. Generated from the tests by",
        "`python -m tests.support.attacks`; the threat model is in [SECURITY.md](../SECURITY.md).",
        "",
    ]
    for by, description in ATTACKERS.items():
        rows = [a for a in attacks() if a.by == by]
        lines += [f"## {by}", "", f"{description}. {len(rows)} attacks.", ""]
        lines += ["| attack | answer | test |", "|---|---|---|"]
        lines += [f"| {_cell(a.what)} | {_cell(a.answer)} | `{a.test}` |" for a in rows] + [""]
    return "\n".join(lines).rstrip() + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
