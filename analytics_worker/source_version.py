"""Name the version of the code in this checkout: the version of the package and a digest of the files.

Two hosts with the same version run the same flows, SQL and dbt models. Reads the files of the checkout, each
again only after a change; writes nothing.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from analytics_worker.settings import project_root

FOLDERS = ("analytics_worker", "blocks", "dbt_project", "flows")
FILES = ("prefect.yaml",)
WRITTEN_BY_TOOLS = frozenset({"__pycache__", "dbt_packages", "logs", "package-lock.yml", "target"})
CHECK_SECONDS = 5.0
_SOURCE_VERSION = re.compile(r"[^+\s]{1,40}\+[0-9a-f]{12}")


def source_version() -> str:
    """Return the version of this checkout, as of some seconds ago, such as ``1.4.0+0f22e2d9ac31``."""
    return _checkout(project_root()).version()


def is_source_version(text: str | None) -> bool:
    """Whether a text has the form that `source_version` returns."""
    return text is not None and _SOURCE_VERSION.fullmatch(text) is not None


class Checkout:
    """The files of one checkout."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._digests: dict[str, tuple[tuple[int, int], bytes]] = {}
        self._version = ""
        self._checked_at = float("-inf")

    def version(self) -> str:
        """Return the version; files that were changed within the last seconds may not count yet."""
        if time.monotonic() >= self._checked_at + CHECK_SECONDS:
            self._version = f"{version('analytics-worker')}+{self.digest()[:12]}"
            self._checked_at = time.monotonic()
        return self._version

    def digest(self) -> str:
        """Return a digest of the names and contents of all files."""
        total = hashlib.sha256()
        for path in sorted(self._paths()):
            name = os.path.relpath(path, self._root)
            total.update(os.fsencode(name) + b"\0" + self._digest(path))
        return total.hexdigest()

    def _paths(self) -> Iterator[str]:
        for name in FILES:
            if (self._root / name).is_file():
                yield str(self._root / name)
        for name in FOLDERS:
            yield from _files(str(self._root / name))

    def _digest(self, path: str) -> bytes:
        try:
            status = os.stat(path)  # noqa: PTH116  # a thousand of them
            state = status.st_mtime_ns, status.st_size
            known = self._digests.get(path)
            if known is None or known[0] != state:
                known = state, hashlib.sha256(Path(path).read_bytes()).digest()
                self._digests[path] = known
        except OSError:  # removed, or a link to nothing
            return b""
        return known[1]


def _files(folder: str) -> Iterator[str]:
    """Yield the files of a folder, without hidden ones and without what programs write into it."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in WRITTEN_BY_TOOLS:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path)
        elif not entry.name.endswith((".pyc", "~")):
            yield entry.path


@lru_cache
def _checkout(root: Path) -> Checkout:
    return Checkout(root)
