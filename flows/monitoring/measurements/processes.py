"""Measure the memory of the worker's processes on this host, by component.

Reads the record of a running stack in the state folder, or else the command lines of this user's
processes. Writes nothing.
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
"""Parts of command lines that identify components which no stack started."""


class ProcessMemory(TypedDict):
    """A component: its process and all descendants."""

    processes: int
    rss_bytes: int


def measure_processes(state_dir: Path) -> dict[str, ProcessMemory]:
    """Return the resident memory by component, without components that do not run on this host."""
    roots = _stack_processes(state_dir) or _processes_by_command()
    measured = {name: _sum_memory(trees) for name, trees in roots.items()}
    return {name: component for name, component in measured.items() if component["processes"]}


def _stack_processes(state_dir: Path) -> dict[str, list[psutil.Process]]:
    """Return the processes of the stack in this folder; none if it does not run."""
    try:
        record: dict[str, Any] = json.loads((state_dir / "stack.json").read_text())
    except (OSError, ValueError):
        return {}
    return {
        component["name"]: [process]
        for component in record.get("components", [])
        if (process := _same_process(component["pid"], component["created"]))
    }


def _same_process(pid: int | None, created: float | None) -> psutil.Process | None:
    """Return the process, or None if its pid was reused."""
    try:
        process = psutil.Process(pid) if pid else None
    except psutil.NoSuchProcess:
        return None
    return process if process and process.create_time() == created else None


def _processes_by_command() -> dict[str, list[psutil.Process]]:
    processes: dict[str, list[psutil.Process]] = {}
    for process, command in _own_commands():
        for name, parts in COMMANDS.items():
            if any(part in command for part in parts):
                processes.setdefault(name, []).append(process)
                break
    return processes


def _own_commands() -> Iterator[tuple[psutil.Process, str]]:
    for process in psutil.process_iter(["uids", "cmdline"]):
        uids, command = process.info["uids"], process.info["cmdline"]
        if uids and uids.real == os.getuid() and command:
            yield process, " ".join(command)


def _sum_memory(roots: list[psutil.Process]) -> ProcessMemory:
    tree: dict[int, int] = {}
    for root in roots:
        for process in [root, *_descendants(root)]:
            try:
                tree[process.pid] = process.memory_info().rss
            except psutil.Error:
                continue  # it ended meanwhile
    return ProcessMemory(processes=len(tree), rss_bytes=sum(tree.values()))


def _descendants(root: psutil.Process) -> list[psutil.Process]:
    try:
        return root.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
