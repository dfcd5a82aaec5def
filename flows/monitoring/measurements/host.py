"""Measure this host: processor, memory, and the disk of the state folder.

Reads /proc through psutil; writes nothing.
"""

import os
import socket
from pathlib import Path
from typing import TypedDict

import psutil

SAMPLE_SECONDS = 0.2


class Host(TypedDict):
    """One measurement of the host. Sizes are in bytes."""

    host: str
    cpu_count: int
    cpu_percent: float
    load_1m: float
    load_5m: float
    load_15m: float
    memory_total_bytes: int
    memory_available_bytes: int
    disk_total_bytes: int
    disk_free_bytes: int


def measure_host(state_dir: Path) -> Host:
    """Measure the host; it takes a fifth of a second, over which processor time is averaged."""
    memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(nearest_existing(state_dir)))
    load = os.getloadavg()
    return Host(
        host=socket.gethostname(),
        cpu_count=psutil.cpu_count() or 1,
        cpu_percent=psutil.cpu_percent(interval=SAMPLE_SECONDS),
        load_1m=load[0],
        load_5m=load[1],
        load_15m=load[2],
        memory_total_bytes=memory.total,
        memory_available_bytes=memory.available,
        disk_total_bytes=disk.total,
        disk_free_bytes=disk.free,
    )


def nearest_existing(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
