"""Estimate the width of texts in the fonts of readers, in multiples of the font size.

Reads nothing, writes nothing.
"""

import unicodedata
from functools import lru_cache

_WIDTHS = {
    0.24: "ijl'|",
    0.31: " ftIr.,:;!/\\()[]-`\u00b7\u2019",
    0.52: 'ckvxyzsJ"*^{}',
    0.56: "abdeghnopqu0123456789L#$_?\u20ac\u00a3\u00a5\u2013",
    0.64: "FTZ+=<>~\u2212",
    0.72: "ABEKPSVXYCDHNRUw&",
    0.80: "GOQ",
    0.92: "mMW%@\u2014\u2026",
}
_BY_CHARACTER = {character: width for width, texts in _WIDTHS.items() for character in texts}
_ELLIPSIS = "\u2026"
_WIDE, _OTHER_LOWER, _OTHER = 1.0, 0.6, 0.7


def text_width(text: str) -> float:
    """Return the width of a text in one line; of the wider fonts among those of browsers."""
    return sum(map(_character_width, text))


@lru_cache(4096)
def _character_width(character: str) -> float:
    known = _BY_CHARACTER.get(character)
    if known is not None:
        return known
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return _WIDE
    return _OTHER_LOWER if character.islower() else _OTHER


def fitting_text(text: str, width: float) -> str:
    """Return the text, or its beginning with an ellipsis if it is wider."""
    if _fitting_length(text, width) == len(text):
        return text
    return f"{text[: _fitting_length(text, width - text_width(_ELLIPSIS))].rstrip()}{_ELLIPSIS}"


def wrapped_lines(text: str, width: float, max_lines: int) -> list[str]:
    """Return the text in lines broken at spaces; the last one is shortened to what fits."""
    lines: list[str] = []
    words = text.split(" ")
    while words and len(lines) < max_lines - 1:
        line = words.pop(0)
        cut = _fitting_length(line, width)
        if cut < len(line):
            words.insert(0, line[cut:])
            line = line[:cut]
        while words and text_width(f"{line} {words[0]}") <= width:
            line = f"{line} {words.pop(0)}"
        lines.append(line)
    return [*lines, fitting_text(" ".join(words), width)] if words else lines


def _fitting_length(text: str, width: float) -> int:
    """Return how many characters of a text fit; at least one."""
    used = 0.0
    for length, character in enumerate(text):
        used += _character_width(character)
        if used > width:
            return max(length, 1)
    return len(text)
