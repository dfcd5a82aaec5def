"""Memory of the worker's own processes on this host, by component.

Reads the record that a running stack keeps in the state folder, else the command lines of this
user's processes; writes nothing.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import psutil

COMMANDS = {
    "server": ("analytics_worker.server", "prefect server", "prefect.server.api"),
    "worker": (
        "analytics_worker.cli worker",
        "analytics-worker worker",
        "prefect worker",
        "analytics_worker.worker.fork_server.process",
    ),
    "exporter": ("-m analytics_worker.exporter",),
}
"""Parts of the command lines by which components are known where no stack started them."""


class Processes(TypedDict):
    """One component: its process and everything below it."""

    processes: int
    rss_bytes: int


def measure_processes(state_dir: Path) -> dict[str, Processes]:
    """Resident memory by component; a component that does not run here is missing."""
    roots = _recorded(state_dir) or _known_by_command()
    measured = {name: _sum(trees) for name, trees in roots.items()}
    return {name: component for name, component in measured.items() if component["processes"]}


def _recorded(state_dir: Path) -> dict[str, list[psutil.Process]]:
    """The processes that the stack in this folder started, if one runs."""
    try:
        record: dict[str, Any] = json.loads((state_dir / "stack.json").read_text())
    except (OSError, ValueError):
        return {}
    return {
        component["name"]: [process]
        for component in record.get("components", [])
        if (process := _same(component["pid"], component["created"]))
    }


def _same(pid: int | None, created: float | None) -> psutil.Process | None:
    """The process, unless another one has its number by now."""
    try:
        process = psutil.Process(pid) if pid else None
    except psutil.NoSuchProcess:
        return None
    return process if process and process.create_time() == created else None


def _known_by_command() -> dict[str, list[psutil.Process]]:
    found: dict[str, list[psutil.Process]] = {}
    for process, command in _own_commands():
        for name, parts in COMMANDS.items():
            if any(part in command for part in parts):
                found.setdefault(name, []).append(process)
                break
    return found


def _own_commands() -> Iterator[tuple[psutil.Process, str]]:
    for process in psutil.process_iter(["uids", "cmdline"]):
        uids, command = process.info["uids"], process.info["cmdline"]
        if uids and uids.real == os.getuid() and command:
            yield process, " ".join(command)


def _sum(roots: list[psutil.Process]) -> Processes:
    tree: dict[int, int] = {}
    for root in roots:
        for process in [root, *_below(root)]:
            try:
                tree[process.pid] = process.memory_info().rss
            except psutil.Error:
                continue  # it ended meanwhile
    return Processes(processes=len(tree), rss_bytes=sum(tree.values()))


def _below(root: psutil.Process) -> list[psutil.Process]:
    try:
        return root.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
