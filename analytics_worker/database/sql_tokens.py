"""Split SQL into tokens, by the rules of PostgreSQL's lexer (src/backend/parser/scan.l).

Reads nothing, writes nothing. Only what decides the positions of names is a token: names, texts,
comments, parentheses, semicolons and bound parameters. Numbers and operators are skipped. Assumes
``standard_conforming_strings = on``, which reader sessions set.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from analytics_worker.errors import PermanentError

Kind = Literal["text", "unicode_name", "quoted_name", "comment", "name", "parameter", "mark"]

# A text in E'…' continues in the next quotes if only a line end, spaces and -- comments lie between.
_GAP = r"[ \t\f\v]*(?:--[^\n\r]*)?[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*"
# No possessive quantifiers: nested, they miss matches in Python 3.11.2. Each alternative begins with
# another character instead, so there is one way to match. A lookahead excludes what may not follow.
_TOKEN = re.compile(
    rf"""(?P<text>[eE]'[^'\\]*(?:(?:\\.|''|'{_GAP}')[^'\\]*)*'(?!'|{_GAP}')
             | (?:[bBxXnN]|[uU]&)?'[^']*(?:''[^']*)*'(?!')
             | \$(?P<tag>(?:[^\W\d]|[^\x00-\x7f])(?:\w|[^\x00-\x7f])*)?\$.*?\$(?(tag)(?P=tag))\$)
       | (?P<unicode_name>[uU]&"[^"]*(?:""[^"]*)*"(?!"))
       | (?P<quoted_name>"[^"]*(?:""[^"]*)*"(?!"))
       | (?P<comment>--[^\n\r]*|/\*)
       | (?P<open>[eE]?'|"|\$(?:(?:[^\W\d]|[^\x00-\x7f])(?:\w|[^\x00-\x7f])*)?\$)
       | (?P<name>(?:[^\W\d]|[^\x00-\x7f])(?:[\w$]|[^\x00-\x7f])*)
       | (?<![:\w]):(?P<parameter>[A-Za-z_]\w*)
       | (?P<mark>[();])""",
    re.DOTALL | re.VERBOSE,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


class UnfinishedError(PermanentError):
    """A text, a quoted name or a comment has no end."""


@dataclass(frozen=True, slots=True)
class Token:
    """A part of a statement and its position; the value of a name is as PostgreSQL looks it up."""

    kind: Kind
    start: int
    end: int
    value: str


def tokens(sql: str) -> Iterator[Token]:
    """Yield every token of one or more statements.

    Raises:
        UnfinishedError: a text, a quoted name or a comment has no end.
    """
    position = 0
    while match := _TOKEN.search(sql, position):
        kind = match.lastgroup
        value, position = match[0], match.end()
        if kind == "open":
            raise UnfinishedError(f"{value} in line {_line(sql, match)} of the SQL is never closed")
        if value == "/*":
            position = _comment_end(sql, match)
        yield Token(kind, match.start(), position, _value(kind, match))  # pyright: ignore[reportArgumentType]  # the groups are the kinds


def _value(kind: str | None, match: re.Match[str]) -> str:
    if kind == "name":
        return folded(match[0])
    if kind == "quoted_name":
        return match[0][1:-1].replace('""', '"')
    return match["parameter"] if kind == "parameter" else match[0]


def folded(name: str) -> str:
    """Return an unquoted name as it is looked up; some servers fold the dotted capital I to i, too."""
    return name.lower().replace("\u0307", "")


def _comment_end(sql: str, start: re.Match[str]) -> int:
    """Return the end of a comment; comments nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, start.start()):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    raise UnfinishedError(f"/* in line {_line(sql, start)} of the SQL is never closed")


def _line(sql: str, match: re.Match[str]) -> int:
    return sql.count("\n", 0, match.start()) + 1
