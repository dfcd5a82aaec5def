"""Code blocks and inline SQL of the documentation, for the tests that execute them."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from analytics_worker.settings import project_root

ROOT = project_root()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_INLINE_SQL = re.compile(r"`(select [^`]+)`")


class Snippet(NamedTuple):
    """A code block, and where it stands."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def snippets(language: str) -> list[Snippet]:
    """Every code block of a language."""
    return [snippet for snippet in _blocks() if snippet.language == language]


def _blocks() -> Iterator[Snippet]:
    for page in PAGES:
        text = page.read_text()
        for block in _BLOCK.finditer(text):
            lines = (line.removeprefix(block[1]) for line in block[3].splitlines())
            number = text.count("\n", 0, block.start()) + 1
            yield Snippet(str(page.relative_to(ROOT)), number, block[2], "\n".join(lines) + "\n")


def inline_sql() -> list[Snippet]:
    """Every query that stands in a sentence or a table."""
    return [
        Snippet(
            str(page.relative_to(ROOT)), page.read_text().count("\n", 0, m.start()) + 1, "sql", m[1]
        )
        for page in PAGES
        for m in _INLINE_SQL.finditer(page.read_text())
    ]


def commands() -> list[Snippet]:
    """Every command of the console blocks, one line each, without comment and prompt."""
    return [
        snippet._replace(text=line.removeprefix("$ ").split(" #")[0].strip(), line=snippet.line + i)
        for snippet in snippets("console")
        for i, line in enumerate(snippet.text.splitlines(), 1)
        if line.startswith("$ ")
    ]
