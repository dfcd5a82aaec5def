"""The SQL of the examination, from its files. Writes nothing."""

from pathlib import Path


def statement(name: str) -> str:
    """Text of ``stack/sql/<name>.sql``."""
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()
