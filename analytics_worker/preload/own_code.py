"""This project's own code in the base process: imported once for all of its processes, until a file of it is edited.

A process that starts after an edit, or with other variables, imports the code for itself, as it is then. Reads the folders
of the packages; writes nothing.
"""

import gc
import importlib
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from analytics_worker.preload.code_reload import Project, unload

PACKAGES = ("analytics_worker", "blocks", "flows")
EARLY = ("analytics_worker.settings", "analytics_worker.log_format")
"""What every process needs, the first one included."""
MODULES = (
    "analytics_worker.cli.worker",
    "analytics_worker.prefect_support.api_client",
    "analytics_worker.prefect_support.deployments",
    "analytics_worker.worker.worker_process",
    "analytics_worker.worker.fork_server.flow_run_process",
    "analytics_worker.exporter.app",
)
"""What worker, fork server and exporter import besides the flows."""


class OwnCode:
    """The project's packages as they are now."""

    def __init__(self, folder: Path) -> None:
        """Note the state of the files; nothing is imported yet."""
        self._project = Project(folder, PACKAGES, MODULES)
        self._state = self._project.state()
        self.is_complete = False

    def import_early(self) -> None:
        """Import what the first process needs."""
        for name in EARLY:
            _import_if_possible(name)

    def import_rest(self) -> None:
        """Import everything else."""
        for name in (*MODULES, *self._flows()):
            _import_if_possible(name)
        self.is_complete = True

    def forget_if_changed(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Let this process import the code again, unless it would be the same.

        Args:
            before: The variables that it was imported with.
            after: Those of this process.
        """
        # Prefect knows the classes of the import before, and warns of each that replaces one.
        if _relevant(before) != _relevant(after) or self._state != self._project.state():
            importlib.invalidate_caches()
            unload(PACKAGES)
            warnings.filterwarnings("ignore", "Type '.* that matches existing registered type")

    def _flows(self) -> Iterator[str]:
        with suppress(OSError):
            for file in sorted((self._project.folder / "flows").glob("*/__init__.py")):
                yield f"flows.{file.parent.name}"


def _import_if_possible(name: str) -> None:
    """A process that needs it imports it again and reports the error."""
    with suppress(Exception, SystemExit):
        importlib.import_module(name)


def freeze() -> None:
    """Set what was imported apart from later collections, which would copy its pages.

    Ends this process if a module has started a thread: a fork could inherit a lock that no thread releases.
    """
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        sys.exit("a module started a thread: no process is forked from here")
    gc.collect()
    gc.freeze()


def _relevant(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that an import may depend on.

    Prefect's are the same settings in all processes of a stack, except for clients: a fork server only gets them written differently.
    """
    ignored = ("PREFECT_", "MALLOC_")
    return {name: value for name, value in environment.items() if not name.startswith(ignored)}
