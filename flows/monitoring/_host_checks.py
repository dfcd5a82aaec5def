"""Whether this machine has processor, memory and disk space left.

Reads /proc and the file systems, and tries to write a file that is gone at once.
"""

import tempfile
from pathlib import Path

import psutil

from analytics_worker.settings import settings
from flows.monitoring._checks import Finding
from flows.monitoring._host import existing, measure_host

MEGABYTE = 1_000_000
BUSY_LOAD = 4.0
"""Processes that want each processor, over five minutes."""
LOW_MEMORY, NO_MEMORY = 0.10, 0.03
LOW_DISK = 0.05


def check_system() -> Finding:
    """Load and memory."""
    host = measure_host(settings().state_dir)
    load = host["load_5m"] / host["cpu_count"]
    free = host["memory_available_bytes"] / host["memory_total_bytes"]
    text = (
        f"{host['cpu_count']} processors {host['cpu_percent']:.0f} % busy, load {host['load_5m']:.1f},"
        f" {free:.0%} of {host['memory_total_bytes'] / 1e9:.1f} GB memory available"
    )
    if free < NO_MEMORY:
        return Finding("unhealthy", text, "Stop what uses it, or set WORKER_RUN_MEMORY_LIMIT_MB.")
    if free < LOW_MEMORY:
        return Finding("degraded", text, "Find what uses it: `ps aux --sort=-rss | head`.")
    if load > BUSY_LOAD:
        return Finding("degraded", text, "Find what computes: `top`; runs take longer meanwhile.")
    return Finding("healthy", text)


def check_disk() -> Finding:
    """Room for state, reports and logs."""
    chosen = settings()
    folders = {
        "STATE_DIR": chosen.state_dir,
        "REPORT_OUTPUT_DIR": chosen.report_output_dir,
        "LOG_DIR": chosen.log_dir,
    }
    for variable, folder in folders.items():
        problem = _unusable(variable, folder)
        if problem:
            return problem
    fullest = min(folders, key=lambda name: _free(folders[name]))
    share = _share(folders[fullest])
    text = f"{_free(folders[fullest]) / 1e9:.1f} GB free ({share:.0%}) where {fullest} is"
    if share < LOW_DISK:
        return Finding("degraded", text, "Free some space: `analytics-worker doctor` shows sizes.")
    return Finding("healthy", text)


def _unusable(variable: str, folder: Path) -> Finding | None:
    try:
        with tempfile.TemporaryFile(dir=existing(folder)) as probe:
            probe.write(b"1")
    except OSError as error:
        fix = f"Give the worker's user the folder, or set {variable} to another one."
        return Finding("unhealthy", f"{folder} can't be written: {error.strerror}", fix)
    free, needed = _free(folder), settings().health_min_free_mb * MEGABYTE
    if free < needed:
        text = f"{folder} has {free / 1e6:.0f} MB free of {needed / 1e6:.0f} MB wanted"
        return Finding("unhealthy", text, "Free some space, or lower HEALTH_MIN_FREE_MB.")
    return None


def _free(folder: Path) -> int:
    return psutil.disk_usage(str(existing(folder))).free


def _share(folder: Path) -> float:
    usage = psutil.disk_usage(str(existing(folder)))
    return usage.free / usage.total
