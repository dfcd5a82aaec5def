"""Say which characters charts and PDF show as boxes, because the worker has no font for them.

Reads the fonts, in the process that draws the charts; writes nothing.
"""

import unicodedata
from collections.abc import Iterable
from itertools import islice

from flows.reports.formats.pages.pdf_process import missing_characters

_PACKAGED = frozenset({"LATIN", "GREEK", "CYRILLIC", "CJK", "HANGUL", "HIRAGANA", "KATAKANA"})
_SYMBOLS = "symbols"
_SAMPLES, _MAX_SCRIPTS = 3, 20
_MAX_NAMES = 5


def font_note(texts: Iterable[str], where: str) -> str | None:
    """Return a sentence for readers; None if all characters of the texts can be drawn."""
    scripts = _scripts(texts)
    if not scripts:
        return None
    missing = set(missing_characters(list(scripts)))
    names = sorted({scripts[character] for character in missing})
    if not names:
        return None
    shown = ", ".join(name.title() for name in names[:_MAX_NAMES])
    return f"{where} boxes in place of characters that the worker has no font for: {shown}."


def _scripts(texts: Iterable[str]) -> dict[str, str]:
    """Return some characters of each script that the packaged fonts lack, with the name of the script."""
    characters = set[str]().union(*(text for text in texts if not text.isascii()))
    by_script: dict[str, list[str]] = {}
    for character in sorted(characters):
        script = _script(character)
        if script and script not in _PACKAGED:
            by_script.setdefault(script.lower(), []).append(character)
    first_scripts = islice(by_script.items(), _MAX_SCRIPTS)
    return {c: script for script, found in first_scripts for c in found[:_SAMPLES]}


def _script(character: str) -> str:
    """Return the first word of a letter's name, which is its script; nothing for punctuation."""
    category = unicodedata.category(character)
    if category == "So":
        return _SYMBOLS
    return unicodedata.name(character, "").partition(" ")[0] if category[0] == "L" else ""
