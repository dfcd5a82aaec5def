"""Collect the artifacts of all dbt commands of one run: its steps, its attempts.

Reads the folder of the run; writes nothing. An artifact that can't be read is skipped: what it had to
say is in the events of dbt, too.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

Document = dict[str, Any]


def read_document(file: Path) -> Document | None:
    """Return an artifact of dbt; None if it is missing, empty or truncated."""
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return cast("Document", document) if isinstance(document, dict) else None


def merged(folder: Path, name: str) -> Document | None:
    """Return the newest artifact of that name below a folder, with the results of all of them."""
    files = sorted(folder.rglob(name), key=lambda file: file.stat().st_mtime_ns)
    documents = [document for file in files if (document := read_document(file))]
    return merge(documents)


def merge(documents: Iterable[Document]) -> Document | None:
    """Return the last document with the last result of each node of all documents."""
    last: Document | None = None
    results: dict[str, Any] = {}
    for document in documents:
        last = document
        results |= results_of(document)
    return None if last is None else {**last, "results": list(results.values())}


def results_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results of an artifact by unique id."""
    results = document.get("results") or []
    return {result["unique_id"]: result for result in results if "unique_id" in result}
