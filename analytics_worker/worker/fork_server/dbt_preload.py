"""dbt, imported and warmed up in the fork server, so that no run has to.

A dbt process spends two to three CPU seconds before its first query: half on imports, half on
serialisers, schemas and macros that are compiled when they are first used. Here that happens once, by
parsing ``small_dbt_project``. Connects to nothing; what dbt writes goes to a temporary folder.
"""

import ctypes
import gc
import importlib
import sys
from multiprocessing import resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PROJECT = Path(__file__).with_name("small_dbt_project")
PARSES = 2
"""The second one reads the cache that the first one wrote."""
OPTIONS = (
    *("--project-dir", str(PROJECT)),
    *("--profiles-dir", str(PROJECT)),
    *("--log-level", "none"),
    *("--log-level-file", "none"),
    "--no-send-anonymous-usage-stats",
    "--no-version-check",
    "--no-static-parser",  # it starts native threads, which no fork survives
)


class WarmUpError(Exception):
    """dbt could not parse our small project: runs pay for the warm-up themselves."""


def load() -> None:
    """Import dbt with its PostgreSQL adapter, and use it.

    Raises:
        WarmUpError: dbt refused the project; it is imported all the same.
    """
    base: Any = importlib.import_module("mashumaro.config").BaseConfig
    base.lazy_compilation = True  # most of dbt's serialisers are never used
    importlib.import_module("dbt.adapters.postgres")
    runner: Any = importlib.import_module("dbt.cli.main").dbtRunner
    with TemporaryDirectory() as folder:
        for _ in range(PARSES):
            _compile_macros(_parse(runner(), folder))
    importlib.import_module("dbt.adapters.factory").reset_adapters()
    _give_back_memory()
    _end_resource_tracker()


def _parse(runner: Any, folder: str) -> Any:
    ended = runner.invoke(["parse", *OPTIONS, "--target-path", folder, "--log-path", folder])
    if not ended.success:
        raise WarmUpError(str(ended.exception))
    return ended.result


def _compile_macros(manifest: Any) -> None:
    """Compile dbt's own macros, which build every model's SQL; dbt caches them by their text."""
    kept: Any = importlib.import_module("dbt_common.clients.jinja").template_cache
    for macro in manifest.macros.values():
        kept.get_node_template(macro)


def _give_back_memory() -> None:
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


def _end_resource_tracker() -> None:
    """The process that watches over dbt's semaphores; children start one of their own."""
    tracker: Any = vars(resource_tracker)["_resource_tracker"]  # nothing public ends it
    tracker._stop()  # noqa: SLF001
