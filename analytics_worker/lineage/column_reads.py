"""Find the columns that a statement may read, from the names in its text.

Reads nothing, writes nothing. Every name of the text may be a column, also an alias or a function. All columns
count as read where the text reads some without their names: a star, a natural join, TABLE, a relation as a row,
or a list of aliases of columns.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from analytics_worker.database.sql_tokens import tokens
from analytics_worker.lineage.relations import schema_and_name

NAME_BYTES = 63
BEFORE_STAR = frozenset({"select", "all", "distinct"})
BEFORE_RELATION = frozenset({"from", "join", "only"})
WITHOUT_NAMES = frozenset({"natural", "table"})
NO_ALIASES = frozenset(
    [
        "cross",
        "except",
        "fetch",
        "for",
        "full",
        "group",
        "having",
        "inner",
        "intersect",
        "join",
        "left",
        "limit",
        "natural",
        "offset",
        "on",
        "order",
        "right",
        "tablesample",
        "union",
        "using",
        "where",
        "window",
    ]
)


class ColumnReads(NamedTuple):
    """The names of a statement that may be columns of a relation; None for all of its columns."""

    schema: str
    relation: str
    names: Collection[str] | None


class Part(NamedTuple):
    """A name, a text, a mark, or the characters between two of them."""

    kind: str
    names: frozenset[str]
    text: str


def column_reads(sql: str, quoted_relations: Iterable[str]) -> list[ColumnReads]:
    """Return what a statement may read of the relations that its text names.

    Args:
        sql: A statement that the server accepts.
        quoted_relations: The relations that it reads, those behind views included.
    """
    parts = list(_parts(sql))
    names = frozenset[str]().union(*(part.names for part in parts))
    pairs = [pair for pair in map(schema_and_name, quoted_relations) if pair and pair[1] in names]
    all_columns = _reads_without_names(parts, {name for _, name in pairs})
    return [ColumnReads(*pair, None if all_columns else names) for pair in pairs]


def merged(reads: Iterable[ColumnReads]) -> list[ColumnReads]:
    """Return what several statements may read together."""
    found: dict[tuple[str, str], Collection[str] | None] = {}
    for schema, relation, names in reads:
        before = found.get((schema, relation), frozenset())
        both = None if before is None or names is None else frozenset(before) | frozenset(names)
        found[schema, relation] = both
    return [ColumnReads(*pair, names) for pair, names in found.items()]


def _parts(sql: str) -> Iterator[Part]:
    end, between = 0, ""
    for token in tokens(f"{sql}\n;"):
        between += "".join(sql[end : token.start].split())
        end = token.end
        if token.kind == "comment":
            continue
        if between:
            yield Part("between", frozenset(), between)
            between = ""
        yield Part(
            token.kind, _spellings(token.kind, token.value, sql[token.start : end]), token.value
        )


def _spellings(kind: str, value: str, text: str) -> frozenset[str]:
    """Return how the server may look a name up: folded for all letters or for ASCII only, and cut."""
    if kind == "quoted_name":
        return frozenset({_cut(value)})
    if kind != "name":
        return frozenset()
    return frozenset({_cut(value), _cut("".join(c.lower() if c.isascii() else c for c in text))})


def _cut(name: str) -> str:
    return name.encode(errors="replace")[:NAME_BYTES].decode(errors="ignore")


def _reads_without_names(parts: list[Part], relations: Collection[str]) -> bool:
    words = {part.text for part in parts if part.kind == "name"}
    if words & WITHOUT_NAMES:
        return True
    numbers = range(len(parts))
    return any(_has_star(parts, n, words) for n in numbers) or _has_row(parts, relations)


def _has_star(parts: list[Part], number: int, words: Collection[str]) -> bool:
    """Return whether a star stands for columns; one after a value multiplies, one after ( counts rows."""
    part = parts[number]
    if part.kind != "between" or "*" not in part.text:
        return False
    before = part.text.split("*")[:-1]
    if any(not each[-1:].isdigit() and each[-1:] != "]" for each in before[1:] if each):
        return True
    if before[0]:
        return not before[0][-1].isdigit() and before[0][-1] != "]"
    previous = parts[number - 1] if number else Part("mark", frozenset(), "")
    if previous.kind == "name":
        return previous.text in BEFORE_STAR
    return previous.text == ")" and "distinct" in words


def _has_row(parts: list[Part], relations: Collection[str]) -> bool:
    """Return whether a relation or its alias may stand for its row, or has aliases of its columns."""
    aliases, defined = set[str](), set[int]()
    for number, part in enumerate(parts):
        if not part.names & set(relations) or _qualifies(parts, number):
            continue
        if not _is_in_from(parts, number):
            return True
        alias = _alias(parts, number + 1)
        if _text(parts, number + 1).startswith("*") or _text(parts, alias + 1) == "(":
            return True
        defined.add(alias)
        aliases |= parts[alias].names if alias > number else frozenset[str]()
    return any(
        part.names & aliases and number not in defined and not _qualifies(parts, number)
        for number, part in enumerate(parts)
        if _text(parts, number - 1)[-1:] != "."
    )


def _qualifies(parts: list[Part], number: int) -> bool:
    return _text(parts, number + 1).startswith(".")


def _is_in_from(parts: list[Part], number: int) -> bool:
    before = parts[number - 1] if number else Part("mark", frozenset(), "")
    return before.text.endswith(".") or (before.kind == "name" and before.text in BEFORE_RELATION)


def _alias(parts: list[Part], number: int) -> int:
    """Return the number of the alias of the relation before it, or of that relation."""
    has_as = number < len(parts) and parts[number].kind == "name" and parts[number].text == "as"
    found = number + has_as
    part = parts[found] if found < len(parts) else Part("mark", frozenset(), "")
    is_alias = part.kind == "quoted_name" or (part.kind == "name" and part.text not in NO_ALIASES)
    return found if is_alias else number - 1


def _text(parts: list[Part], number: int) -> str:
    return (
        parts[number].text
        if 0 <= number < len(parts) and parts[number].kind in {"between", "mark"}
        else ""
    )
