"""Remove the values from the text of a statement. Reads nothing, writes nothing."""

import re
from collections.abc import Iterator

from analytics_worker.database.sql_tokens import UnfinishedError, tokens

PLACEHOLDER = "?"
READ_CHARACTERS, MAX_CHARACTERS = 20_000, 2_000
_NUMBER = re.compile(
    r"(?<![\w$])(?:0[xob]\w+|\d[\d_]*\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)", re.IGNORECASE
)


def without_literals(sql: str) -> str:
    """Return the statement without comments, with ``?`` for each text and number, at most 2,000 characters.

    Of a text that has no end, nothing after its start is returned.
    """
    text = " ".join("".join(_parts(sql)).split())
    return text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 1]}…"


def _parts(sql: str) -> Iterator[str]:
    """Yield quoted names, and between them the text without its values."""
    plain = ""
    for kind, text in _pieces(sql):
        if kind in {"quoted_name", "unicode_name"}:
            yield _NUMBER.sub(PLACEHOLDER, plain)
            yield text
            plain = ""
        else:
            plain += {"text": PLACEHOLDER, "comment": " "}.get(kind, text)
    yield _NUMBER.sub(PLACEHOLDER, plain)


def _pieces(sql: str) -> Iterator[tuple[str, str]]:
    position = 0
    try:
        for token in tokens(sql):
            if token.start > READ_CHARACTERS:
                break
            yield "other", sql[position : token.start]
            yield token.kind, sql[token.start : token.end]
            position = token.end
        else:
            yield "other", sql[position:]
            return
    except UnfinishedError:
        pass
    yield "other", " …"
