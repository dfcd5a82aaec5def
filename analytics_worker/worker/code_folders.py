"""Decide whether a deployment's entrypoint is code of this host's owner, before it is imported.

Importing a module executes it, so the file is located without importing anything. Reads the file
system; writes nothing.
"""

import importlib
import site
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from analytics_worker.errors import PermanentError
from analytics_worker.settings import project_root, settings
from analytics_worker.worker.flow_source import NoFlowError, check_defines_flow

FLOWS = "flows"
"""The project's folder whose files are flows; the other ones help, test or measure."""
PACKAGES = {"site-packages", "dist-packages"}


class UntrustedCodeError(Exception):
    """An entrypoint is not code inside a trusted folder; the message gives the reason."""


class CodeFolderError(PermanentError):
    """A folder can't be trusted; the message names it and the reason."""


@dataclass(frozen=True)
class CodeFolders:
    """Folders whose code runs may execute.

    Attributes:
        project: Resolved. Runs may start in it, but only the code of some of its folders is trusted.
        trusted: Resolved.
        untrusted: Resolved; below a trusted folder, or around one. The deepest folder decides.
    """

    project: Path
    trusted: tuple[Path, ...]
    untrusted: tuple[Path, ...]

    @classmethod
    def of(cls, project: Path, more: Sequence[Path], written: Iterable[Path]) -> "CodeFolders":
        """Trust the project's flows and more folders, except what the worker writes and what is installed.

        Raises:
            CodeFolderError: a folder is missing, or the worker writes into it.
        """
        untrusted = tuple(folder.resolve() for folder in [*written, *_installed()])
        trusted = tuple(folder.resolve() for folder in [project / FLOWS, *more])
        folders = cls(project.resolve(), trusted, untrusted)
        for folder in more:
            folders.check(folder)
        return folders

    def check(self, folder: Path) -> None:
        """Refuse a folder that is missing, or that the worker writes into.

        Raises:
            CodeFolderError: names the folder and the reason.
        """
        if not folder.is_dir():
            raise CodeFolderError(f"WORKER_CODE_FOLDERS: {folder} is not a folder")
        inside = [other for other in self.untrusted if folder.resolve().is_relative_to(other)]
        if inside:
            raise CodeFolderError(
                f"WORKER_CODE_FOLDERS: {folder} is inside {inside[0]}, which is not for flow code;"
                " expected a folder that only its owner writes to"
            )

    def contain(self, path: Path) -> bool:
        """Whether that file or folder, after its links are followed, is inside a trusted folder."""
        target = path.resolve()
        home = max(_around(target, self.trusted), default=None, key=_depth)
        if home is None or any(map(_is_foreign, target.relative_to(home).parts)):
            return False
        return all(_depth(other) < _depth(home) for other in _around(target, self.untrusted))

    def trust(self, folder: Path) -> bool:
        """Whether the folder is, or is inside, one whose code runs may execute."""
        try:
            return self.contain(folder)
        except (ValueError, OSError):  # not a path: a NUL, a loop of links, too long
            return False

    def allow_start_in(self, folder: Path) -> bool:
        """Whether a run may have that working directory."""
        return self.trust(folder) or self.is_project(folder)

    def is_project(self, folder: Path) -> bool:
        """Whether the folder is this checkout."""
        try:
            return folder.resolve() == self.project
        except (ValueError, OSError):
            return False

    def locate(self, entrypoint: str, directory: Path) -> str:
        """Return the entrypoint in the form that is loaded, once its file is known to be trusted.

        Args:
            entrypoint: ``path/to/file.py:flow``, ``module:flow`` or ``module.flow``.
            directory: Trusted folder that the run starts in.

        Raises:
            UntrustedCodeError: it names anything else.
        """
        module, _, name = entrypoint.rpartition(":" if ":" in entrypoint else ".")
        if not name.isidentifier():
            raise UntrustedCodeError("it does not name a flow at the top of a module")
        is_path = module.endswith(".py")
        file = self._script(directory / module) if is_path else self._module(module, directory)
        try:
            check_defines_flow(file, name)
        except NoFlowError as error:
            raise UntrustedCodeError(str(error)) from None
        return f"{file}:{name}" if is_path else entrypoint

    def _script(self, path: Path) -> Path:
        file = path.resolve()
        if not self.contain(file):
            raise UntrustedCodeError("it is not inside a trusted folder")
        if file.suffix != ".py" or not file.is_file():
            raise UntrustedCodeError("there is no such Python file")
        return file

    def _module(self, module: str, directory: Path) -> Path:
        """Follow the import of a module without doing it: each package on the way is code, too."""
        parts = module.split(".")
        self._check_name(parts)
        importlib.invalidate_caches()
        path: list[str] | None = [str(directory), *sys.path]
        origin = None
        for part in parts:  # not by its full name: a folder without __init__.py wants its parent
            spec = PathFinder.find_spec(part, path) if path else None
            if spec is None:
                raise UntrustedCodeError("there is no such module")
            if (origin := spec.origin) is not None:
                self._script(Path(origin))
            path = _locations(spec, path or [], part)
        if origin is None:
            raise UntrustedCodeError("it is a folder without __init__.py")
        return Path(origin)

    def _check_name(self, parts: Sequence[str]) -> None:
        if not all(part.isidentifier() for part in parts):
            raise UntrustedCodeError("it is not a valid entrypoint")
        loaded = getattr(sys.modules.get(parts[0]), "__file__", None)
        is_installed = loaded is not None and not self.contain(Path(loaded))
        if parts[0] in sys.stdlib_module_names or is_installed:
            raise UntrustedCodeError(f"{parts[0]} is an installed library")


def configured_folders(written: Iterable[Path] = ()) -> CodeFolders:
    """Trust the project's flows and WORKER_CODE_FOLDERS, except what the worker writes.

    Args:
        written: Folders that the worker writes besides those of the settings.

    Raises:
        CodeFolderError: a folder is missing, or the worker writes into it.
    """
    chosen = settings()
    own = [chosen.state_dir, chosen.log_dir, chosen.report_output_dir]
    return CodeFolders.of(project_root(), chosen.worker_code_folders, [*own, *written])


def _installed() -> Iterable[Path]:
    """Return the folders of the standard library and of installed packages."""
    names = ("stdlib", "platstdlib", "purelib", "platlib", "scripts")
    known = sysconfig.get_paths()
    return map(Path, {*(known[name] for name in names), *site.getsitepackages()})


def _around(target: Path, folders: Iterable[Path]) -> list[Path]:
    return [folder for folder in folders if target.is_relative_to(folder)]


def _depth(folder: Path) -> int:
    return len(folder.parts)


def _is_foreign(part: str) -> bool:
    """Whether a folder of that name holds no code of the project: .venv, .git, .state, packages."""
    return part.startswith(".") or part in PACKAGES


def _locations(spec: ModuleSpec, path: Sequence[str], part: str) -> list[str] | None:
    """Return the folders of a package's modules; those of a folder without __init__.py only once it is imported."""
    found = spec.submodule_search_locations
    if found is None or spec.origin is not None:
        return None if found is None else list(found)
    return [str(Path(folder) / part) for folder in path]
