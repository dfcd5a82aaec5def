"""This host: settings, ports, disk, and the files that grow.

Reads the settings, the file systems and local ports; writes nothing.
"""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from prefect.settings import get_current_settings
from sqlalchemy.engine import make_url

from analytics_worker.doctor.findings import Finding, judged, size
from analytics_worker.settings import settings
from analytics_worker.stack.state_dir import StateFolder

LARGE_FILES = {"STATE_DIR": 20e9, "LOG_DIR": 1e9, "REPORT_OUTPUT_DIR": 10e9}
LARGE_DATABASE = 2e9
MEGABYTE = 1_000_000


def variables() -> Iterator[Finding]:
    """What is set, and what should be."""
    chosen = settings()
    for line in chosen.replaced_variables():
        name, _, meaning = line.partition(": ")
        yield Finding("settings", name, "warn", meaning, "Remove it.")
    channels = [chosen.alert_webhook_url, chosen.alert_slack_url, chosen.alert_email_host]
    told = any(channels)
    message = "configured" if told else "no recipients for alerts and failing deployments"
    fix = "Set ALERT_WEBHOOK_URL, ALERT_SLACK_URL or ALERT_EMAIL_*."
    yield judged("settings", "default channel", message, warn=not told, fix=fix)
    is_root = os.geteuid() == 0
    message = "root: whoever may use the API runs commands as root" if is_root else "not root"
    fix = "Run the worker as an ordinary user."
    yield judged("settings", "account of the worker", message, warn=is_root, fix=fix)


def ports() -> Iterator[Finding]:
    """What should listen does."""
    url = make_url(str(get_current_settings().api.url or "http://localhost"))
    api = (url.host or "localhost", url.port or 80)
    metrics = ("127.0.0.1", _metrics_port())
    fixes = (
        "`make up`, or correct PREFECT_API_URL.",
        "`python -m analytics_worker.exporter`, or `make up`.",
    )
    for name, address, fix in zip(("prefect api", "metrics"), (api, metrics), fixes, strict=True):
        open_ = _listens(*address)
        message = f"{address[0]}:{address[1]} {'listens' if open_ else 'does not answer'}"
        failed = not open_ and name == "prefect api"
        yield judged("ports", name, message, warn=not open_, fail=failed, fix=fix)


def _metrics_port() -> int:
    """The port that was set; else that of the stack which runs here, which may have been another shell's."""
    chosen = settings()
    record = StateFolder(chosen.state_dir).read()
    if "prometheus_port" in chosen.model_fields_set or record is None or not record.is_running():
        return chosen.prometheus_port
    return record.metrics_port or chosen.prometheus_port


def disk() -> Iterator[Finding]:
    """Room where the worker writes, and what it has written."""
    chosen = settings()
    folders = {
        "STATE_DIR": chosen.state_dir,
        "LOG_DIR": chosen.log_dir,
        "REPORT_OUTPUT_DIR": chosen.report_output_dir,
    }
    for variable, folder in folders.items():
        usage = shutil.disk_usage(_existing(folder))
        low = usage.free < chosen.health_min_free_mb * MEGABYTE
        message = f"{size(usage.free)} of {size(usage.total)} free at {folder}"
        fix = f"Free some space, or set {variable} to a folder on another disk."
        yield judged("disk", variable, message, fail=low, fix=fix)
    for variable, folder in folders.items():
        used = _used(folder)
        fix = "`prefect deployment run cleanup-expired-tasks/monitoring`"
        large = used > LARGE_FILES[variable]
        yield judged("size", variable, size(used), warn=large, fix=fix)
    yield from _databases(chosen.state_dir)


def _databases(state_dir: Path) -> Iterator[Finding]:
    for name, path in (
        ("prefect's database", state_dir / "prefect" / "prefect.db"),
        ("breakers", state_dir / "breakers.sqlite"),
        ("run results", Path(get_current_settings().results.local_storage_path)),
    ):
        if path.exists():
            used = _used(path)
            fix = "Lower RUN_RETENTION_DAYS, or keep the server's data in PostgreSQL."
            yield judged("size", name, size(used), warn=used > LARGE_DATABASE, fix=fix)


def _used(path: Path) -> int:
    if path.is_file():
        wal = path.with_name(f"{path.name}-wal")
        return path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
    return sum(_bytes(file) for file in path.rglob("*"))


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() and not file.is_symlink() else 0
    except OSError:
        return 0  # gone, or somebody else's


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False
