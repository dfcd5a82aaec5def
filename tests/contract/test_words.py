"""Words that docs, docstrings, comments and messages do not use: the glossary has a term for each."""

import re
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("analytics_worker", "flows", "blocks", "definitions", "dbt_project", "docs")
SUFFIXES = {".py", ".sql", ".md", ".yml", ".j2"}
INSTEAD = {
    "catalogue": "catalog",
    "over again": "again",
    "told to nobody": "not notified",
}
"""Word, and what to write in its place."""
GLOSSARY = ROOT / "docs/glossary.md"  # it lists the words that are not used


def test_only_words_of_the_glossary_are_used() -> None:
    """Name file, line and replacement of each word that is not used."""
    words = re.compile(rf"\b({'|'.join(INSTEAD)})\b", re.IGNORECASE)
    files = chain.from_iterable((ROOT / folder).rglob("*") for folder in FOLDERS)
    pages = [file for file in (*files, *ROOT.glob("*.md")) if file.suffix in SUFFIXES]
    uses = [
        f"{file.relative_to(ROOT)}:{number}: {word}; write {INSTEAD[word.lower()]}"
        for file in pages
        if file != GLOSSARY
        for number, line in enumerate(file.read_text().splitlines(), 1)
        for word in words.findall(line)
    ]
    assert uses == []
