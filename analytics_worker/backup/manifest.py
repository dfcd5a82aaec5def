"""Describe a backup: its parts, and size and checksum of each file.

The manifest is the last file of a backup that is written, so a folder with a valid one is a whole backup.
"""

import hashlib
import json
import re
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from analytics_worker.backup.errors import BackupError
from analytics_worker.text import one_line

MANIFEST = "manifest.json"
FORMAT = 1
FOLDERS = ("ops", "prefect", "reports", "dbt-states", "login")
"""The folders of a backup, one for each of its parts."""
MAX_MANIFEST_BYTES = 500_000_000
_HEX = re.compile(r"[0-9a-f]{64}")


def _file_name(name: str) -> str:
    """Refuse a name that leads out of the folder of a backup."""
    parts = PurePosixPath(name).parts
    inside = len(parts) > 1 and parts[0] in FOLDERS and not {"..", ".", "/"}.intersection(parts)
    if not inside or "/".join(parts) != name or "\0" in name:
        raise ValueError(f"{name[:80]!r} is not a file of a backup")
    return name


FileName = Annotated[str, AfterValidator(_file_name)]
Revision = Annotated[str, Field(pattern=r"^\w{1,80}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Model):
    """Size and checksum of a file."""

    bytes: NonNegativeInt
    sha256: str = Field(pattern=_HEX.pattern)


class Table(_Model):
    """The rows of a table, as COPY writes them."""

    name: str
    columns: list[str]
    rows: NonNegativeInt
    file: FileName


class Counter(_Model):
    """A sequence; without a value if it was never used."""

    name: str
    last_value: int | None


class DatabaseCopy(_Model):
    """The tables of a schema, as of one snapshot."""

    revision: Revision
    database: str
    server_version: str
    tables: list[Table]
    sequences: list[Counter]


class PrefectCopy(_Model):
    """The database of the Prefect server: a SQLite file, or the tables of a PostgreSQL."""

    kind: Literal["sqlite", "postgresql"]
    prefect_version: str
    revision: Revision
    file: FileName | None = None
    copied: DatabaseCopy | None = None


class Manifest(_Model):
    """What a backup has."""

    format: int
    version: str
    created_at: datetime
    host: str
    ops: DatabaseCopy
    prefect: PrefectCopy | None
    notes: list[str]
    """What it does not have, although nothing is wrong."""
    missing: list[str]
    """What could not be read."""
    files: dict[FileName, FileEntry]

    def names(self, folder: str) -> list[str]:
        """Return the names of the files of a part, without that of its folder."""
        return [n.removeprefix(f"{folder}/") for n in self.files if n.startswith(f"{folder}/")]

    def unlisted(self) -> set[str]:
        """Return the files that a part refers to, and that have no checksum."""
        copies = [self.ops, self.prefect and self.prefect.copied]
        named = {table.file for copied in copies if copied for table in copied.tables}
        if self.prefect and self.prefect.file:
            named.add(self.prefect.file)
        return named - self.files.keys()

    def text(self) -> str:
        """Return the manifest as text, with a checksum of itself."""
        content = self.model_dump(mode="json")
        return json.dumps(content | {"sha256": _checksum(content)}, indent=1, ensure_ascii=False)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a backup.

    Raises:
        BackupError: the folder has no whole backup, or one of a newer version.
    """
    content = _content(folder)
    if isinstance(content.get("format"), int) and content["format"] > FORMAT:
        raise BackupError(
            f"{folder} has a backup of a newer version ({one_line(str(content.get('version')), 80)}) of the"
            " worker: restore it with that version"
        )
    checksum = content.pop("sha256", None)
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _damaged(folder, f"{where}: {first['msg']}") from None
    if checksum != _checksum(content):
        raise _damaged(folder, "its checksum differs")
    if unlisted := manifest.unlisted():
        raise _damaged(folder, f"{min(unlisted)} has no checksum")
    return manifest


def _content(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise BackupError(f"{folder} is not a folder; expected one that `backup` has written")
    if not path.is_file():
        raise BackupError(
            f"{folder} has no {MANIFEST}: it is not a backup, or one that was not finished; nothing was changed"
        )
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise _damaged(folder, "it is too large")
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        raise _damaged(folder, "it is not JSON") from None
    if not isinstance(content, dict):
        raise _damaged(folder, "it is not a JSON object")
    return content


def _damaged(folder: Path, reason: str) -> BackupError:
    text = one_line(reason)
    return BackupError(f"{folder / MANIFEST} is damaged ({text}); nothing was changed")


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
