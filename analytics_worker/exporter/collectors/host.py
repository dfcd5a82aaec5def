"""The host that the exporter runs on: processor time, memory, and the file systems that matter.

Reads /proc and the folders of the settings.
"""

import os
import shutil
from collections.abc import Iterable

import psutil

from analytics_worker.exporter.collectors import Collector, Samples
from analytics_worker.exporter.metric_families import Family, Labels
from analytics_worker.settings import settings

CPU = Family(
    "host_cpu_seconds_total", "counter", "Processor time of the host since it started.", ("mode",)
)
CPUS = Family("host_cpus", "gauge", "Logical processors of the host.")
LOAD = Family("host_load1", "gauge", "Processes that want to run, mean of the last minute.")
MEMORY = Family("host_memory_bytes", "gauge", "Memory of the host.", ("kind",))
DISK = Family(
    "host_filesystem_bytes",
    "gauge",
    "Size and free space of the file system that a folder of the worker is on.",
    ("folder", "kind"),
)
MODES = ("user", "system", "idle", "iowait", "steal")


class Host(Collector):
    """Report the resources of the host: memory, processors and disk."""

    name = "host"
    families = (CPU, CPUS, LOAD, MEMORY, DISK)

    def collect(self) -> Iterable[Samples]:
        """Read the numbers of now."""
        times, memory = psutil.cpu_times(), psutil.virtual_memory()
        yield CPU, {(mode,): getattr(times, mode) for mode in MODES if hasattr(times, mode)}
        yield CPUS, {(): float(psutil.cpu_count() or 1)}
        yield LOAD, {(): os.getloadavg()[0]}
        yield (
            MEMORY,
            {("total",): float(memory.total), ("available",): float(memory.available)},
        )
        yield DISK, _disks()


def _disks() -> dict[Labels, float]:
    chosen = settings()
    folders = {
        "state": chosen.state_dir,
        "logs": chosen.log_dir,
        "reports": chosen.report_output_dir,
    }
    found: dict[Labels, float] = {}
    for name, folder in folders.items():
        deployment_index = next(path for path in (folder, *folder.parents) if path.exists())
        usage = shutil.disk_usage(deployment_index)
        found[name, "total"], found[name, "free"] = float(usage.total), float(usage.free)
    return found
