"""The project's own code, which the fork server imports once for all runs and again when it was edited.

A run that starts in another folder, or with variables of its own, imports it for itself. Reads the
folder; writes nothing.
"""

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

IDENTITY = "PREFECT__"
"""Variables that identify the run of a process; nothing may depend on them when it is imported."""
BYTE_CODE = "__pycache__"

File = tuple[str, int, int]
"""Path, time of the last change in ns, bytes."""


@dataclass(frozen=True)
class Project:
    """Packages of one folder.

    Attributes:
        folder: In which they are.
        packages: What is watched, and what a run that differs forgets.
        modules: What the fork server imports of them.
    """

    folder: Path
    packages: Collection[str]
    modules: Sequence[str]

    def state(self) -> frozenset[File]:
        """Another value as soon as a file of the packages has been changed, added or removed."""
        return frozenset(
            file for package in self.packages for file in _files(self.folder / package)
        )

    def modules_to_reload(
        self, directory: Path, of_run: Mapping[str, str], own: Mapping[str, str]
    ) -> list[str]:
        """Return the packages that a run must import itself.

        Args:
            directory: Where the run starts.
            of_run: The run's variables.
            own: The fork server's variables.
        """
        alike = directory == self.folder and _settings(of_run) == _settings(own)
        return [] if alike else list(self.packages)


def unload(packages: Collection[str]) -> None:
    """Let the next import of these packages read their files."""
    for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
        del sys.modules[name]


def _files(folder: Path) -> Iterator[File]:
    with suppress(OSError):  # an editor has just removed or replaced it: that is a change, too
        for entry in list(os.scandir(folder)):
            yield from _file_or_folder(entry)


def _file_or_folder(entry: os.DirEntry[str]) -> Iterator[File]:
    if not entry.is_dir():
        with suppress(OSError):
            status = entry.stat()
            yield entry.path, status.st_mtime_ns, status.st_size
    elif entry.name != BYTE_CODE:
        yield from _files(Path(entry.path))


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(IDENTITY)}
