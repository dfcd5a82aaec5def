"""Read the SQL of a revision from the file of the same name."""

from pathlib import Path


def statements(revision: str) -> str:
    """Return the text of ``versions/sql/<revision>.sql``."""
    return (Path(__file__).parent / "versions" / "sql" / f"{revision}.sql").read_text()
