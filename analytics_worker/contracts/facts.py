"""Read what the server knows of a relation: columns, keys, indexes, size, and whether its data changed.

Reads the server's catalog; reads no rows and writes nothing.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, TypedDict

from sqlalchemy import Connection

from analytics_worker.contracts.model import Contract
from analytics_worker.contracts.statements import run

_MODIFIER = re.compile(r"\(.*?\)")


class Column(TypedDict):
    """A column as it is now."""

    type: str
    oid: int
    not_null: bool
    is_built_in: bool
    """Whether comparing its values runs nothing but PostgreSQL's own functions."""


class Facts(NamedTuple):
    """What the server knows of a relation; without one, the kind is None."""

    relkind: str | None
    columns: Mapping[str, Column]
    keys: Sequence[Sequence[str]]
    """The columns of each unique index."""
    indexed: Collection[str]
    """The first column of each btree index."""
    bytes: int
    modifications: str | None
    """Differs once the data changed; None if the server does not count that."""
    types: Mapping[str, int | None]
    """Oid of each declared type; None if there is no such type."""

    def has_type(self, column: str, declared: str) -> bool:
        """Return whether a column is of the declared type, and of its length or precision if it has one."""
        found, wanted = self.columns[column], _modifier(declared)
        return found["oid"] == self.types[declared] and wanted in {"", _modifier(found["type"])}

    def is_unique(self, key: Sequence[str]) -> bool:
        """Return whether an index guarantees that the key is unique."""
        return any(set(each) <= set(key) for each in self.keys)


def read_facts(connection: Connection, contract: Contract, schema: str, relation: str) -> Facts:
    """Return the facts that the checks of a contract need about a relation."""
    types = sorted({each.type for each in contract.columns.values() if each.type})
    row = run(connection, "facts", schema_name=schema, relation_name=relation, types=types)[0]
    return Facts(
        relkind=row["relkind"],
        columns=row["columns"],
        keys=row["keys"],
        indexed=row["indexed"],
        bytes=row["bytes"],
        modifications=row["modifications"],
        types=row["types"] or {},
    )


def _modifier(type_name: str) -> str:
    found = _MODIFIER.search(type_name)
    return found[0].replace(" ", "").replace(",0)", ")") if found else ""
