"""Docs, docstrings, comments and messages use the terms of the glossary and plain words."""

import ast
import re
import tokenize
from collections.abc import Callable, Iterable, Mapping
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("analytics_worker", "flows", "blocks", "definitions", "dbt_project", "docs")
SUFFIXES = {".py", ".sql", ".md", ".yml", ".j2", ".jinja"}
Lines = Iterable[tuple[int, str]]
INSTEAD = {
    "catalogue": "catalog",
    "over again": "again",
    "told to nobody": "not notified",
    "whoever": "a component or a person, such as: every user of the API",
    "somebody": "a component or a person, such as: another user",
    "anybody": "any client, any user",
    "everybody": "all users, all recipients",
    "by itself": "without a command",
    "for good": "permanently",
    "news": "information",
    "but for": "except",
    "one's own": "a custom one",
    "hear": "receive, be notified",
    "hears": "receives, is notified",
    "heard": "received",
    "is back": "is available again",
    "it said": "it reported",
    "web hook": "webhook",
    "put right": "fix, correct",
    "spare process": "warm process",
    "what becomes of": "what happens to",
}
"""Word, and what to write in its place, everywhere."""
IN_PROSE = {
    "whatever": "every, independent of",
    "told": "notified, reported",
    "tell": "notify, report, show",
    "tells": "notifies, reports, shows",
    "for ever": "forever",
    "nobody": "no user, no recipient, no process",
    "gone": "ended, deleted, no longer exists",
    "silent": "sends nothing",
    "silently": "without an error",
    "ours": "this project's, this user's",
    "is away": "is unavailable",
    "are away": "are unavailable",
    "was away": "was unavailable",
    "were away": "were unavailable",
}
"""Word, and what to write in its place; names of columns, settings, code and test data may have it."""
EXEMPT = (
    "docs/glossary.md",  # it lists the words that are not used
    "tests/contract/test_words.py",
    "analytics_worker/migrations/versions/sql/",  # applied migrations never change
    "tests/support/old_version/",
)


def test_only_words_of_the_glossary_are_used() -> None:
    """Name file, line and replacement of each word that is not used."""
    assert _uses(FOLDERS, INSTEAD, _all) == []


def test_prose_uses_plain_words() -> None:
    """Check pages, and the docstrings and comments of all code, tests included."""
    assert _uses((*FOLDERS, "tests"), INSTEAD | IN_PROSE, _prose) == []


def test_prose_is_pages_docstrings_and_comments() -> None:
    code = '"""One `two`."""\nx = "three"  # four\ny = """five"""\nclass C:\n    """six"""\n'
    assert list(_prose(".py", code)) == [(2, "# four"), (1, "One  ."), (5, "six")]
    page = "one `two`\n```\nthree\n```\nfour"
    assert list(_prose(".md", page)) == [(1, "one  "), (5, "four")]
    assert list(_prose(".sql", "-- one\nselect 'two' -- three")) == [(1, "-- one"), (2, "-- three")]


def _uses(
    folders: Iterable[str], instead: Mapping[str, str], lines_of: Callable[[str, str], Lines]
) -> list[str]:
    words = re.compile(rf"\b({'|'.join(instead)})\b", re.IGNORECASE)
    files = [file for folder in folders for file in (ROOT / folder).rglob("*")]
    texts = {
        file.relative_to(ROOT).as_posix(): file.read_text()
        for file in (*files, *ROOT.glob("*.md"))
        if file.suffix in SUFFIXES
    }
    return [
        f"{name}:{number}: {word}; write {instead[word.lower()]}"
        for name, text in texts.items()
        if not name.startswith(EXEMPT) and words.search(text)
        for number, line in lines_of(Path(name).suffix, text)
        for word in words.findall(line)
    ]


def _all(_suffix: str, text: str) -> Lines:
    return enumerate(text.splitlines(), 1)


def _prose(suffix: str, text: str) -> Lines:
    """Return the lines of prose and their numbers, without code in backticks."""
    kinds = {".py": _comments_and_docstrings, ".sql": _sql_comments, ".md": _page}
    lines = kinds[suffix](text) if suffix in kinds else ()
    return ((number, re.sub(r"`[^`]*`", " ", line)) for number, line in lines)


def _comments_and_docstrings(text: str) -> Lines:
    for token in tokenize.generate_tokens(StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        # A docstring of a module, class, function or attribute is an expression of its own.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield from enumerate(str(node.value.value).splitlines(), node.lineno)


def _sql_comments(text: str) -> Lines:
    return ((n, line[line.index("--") :]) for n, line in _all(".sql", text) if "--" in line)


def _page(text: str) -> Lines:
    """Yield the lines outside of code blocks."""
    is_code = False
    for number, line in _all(".md", text):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield number, line
