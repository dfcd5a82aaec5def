"""Check whether this host has processor time, memory and disk space left.

Reads /proc and the file systems; writes a temporary file to each folder and deletes it.
"""

import tempfile
from pathlib import Path

import psutil

from analytics_worker.settings import settings
from flows.monitoring.checks.runner import Finding
from flows.monitoring.measurements.host import measure_host, nearest_existing

MEGABYTE = 1_000_000
MAX_LOAD = 4.0
"""Runnable processes per processor, averaged over five minutes."""
LOW_MEMORY_SHARE, CRITICAL_MEMORY_SHARE = 0.10, 0.03
LOW_DISK_SHARE = 0.05


def check_system() -> Finding:
    """Check load and memory."""
    host = measure_host(settings().state_dir)
    load = host["load_5m"] / host["cpu_count"]
    free = host["memory_available_bytes"] / host["memory_total_bytes"]
    text = (
        f"{host['cpu_count']} processors {host['cpu_percent']:.0f} % busy, load {host['load_5m']:.1f},"
        f" {free:.0%} of {host['memory_total_bytes'] / 1e9:.1f} GB memory available"
    )
    if free < CRITICAL_MEMORY_SHARE:
        return Finding(
            "unhealthy", text, "Stop processes that use memory, or set WORKER_RUN_MEMORY_LIMIT_MB."
        )
    if free < LOW_MEMORY_SHARE:
        return Finding(
            "degraded", text, "Find the processes that use memory: `ps aux --sort=-rss | head`."
        )
    if load > MAX_LOAD:
        return Finding(
            "degraded",
            text,
            "Find the processes that use the processors: `top`. Runs take longer meanwhile.",
        )
    return Finding("healthy", text)


def check_disk() -> Finding:
    """Check the free space for state, reports and logs."""
    config = settings()
    folders = {
        "STATE_DIR": config.state_dir,
        "REPORT_OUTPUT_DIR": config.report_output_dir,
        "LOG_DIR": config.log_dir,
    }
    for variable, folder in folders.items():
        problem = _unusable(variable, folder)
        if problem:
            return problem
    fullest = min(folders, key=lambda name: _free(folders[name]))
    share = _share(folders[fullest])
    text = f"{_free(folders[fullest]) / 1e9:.1f} GB free ({share:.0%}) at {fullest}"
    if share < LOW_DISK_SHARE:
        return Finding("degraded", text, "Free some space: `analytics-worker doctor` shows sizes.")
    return Finding("healthy", text)


def _unusable(variable: str, folder: Path) -> Finding | None:
    try:
        with tempfile.TemporaryFile(dir=nearest_existing(folder)) as probe:
            probe.write(b"1")
    except OSError as error:
        fix = f"Let the worker's user write to the folder, or set {variable} to another one."
        return Finding("unhealthy", f"{folder} can't be written: {error.strerror}", fix)
    free, needed = _free(folder), settings().health_min_free_mb * MEGABYTE
    if free < needed:
        text = f"{folder} has {free / 1e6:.0f} MB free of {needed / 1e6:.0f} MB required"
        return Finding("unhealthy", text, "Free some space, or lower HEALTH_MIN_FREE_MB.")
    return None


def _free(folder: Path) -> int:
    return psutil.disk_usage(str(nearest_existing(folder))).free


def _share(folder: Path) -> float:
    usage = psutil.disk_usage(str(nearest_existing(folder)))
    return usage.free / usage.total
