"""Load the SQL of the checks. Writes nothing."""

from pathlib import Path


def statement(name: str) -> str:
    """Return the text of ``doctor/sql/<name>.sql``."""
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()
