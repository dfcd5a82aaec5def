"""The statement that returns which relations a session has locked: those that its statements read.

Reads its text from a file, once.
"""

from functools import lru_cache
from pathlib import Path


@lru_cache
def locked_relations() -> str:
    """Return the SQL: one row with a quoted name per relation."""
    return (Path(__file__).parent / "sql" / "locked_relations.sql").read_text()
