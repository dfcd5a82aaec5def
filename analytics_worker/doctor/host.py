"""Check this host: settings, ports, free disk space, and files that grow.

Reads the settings, the file systems and local ports; writes nothing.
"""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from prefect.settings import get_current_settings

from analytics_worker.delivery.overview import channel_problem, default_channels
from analytics_worker.doctor.findings import Finding, graded, size
from analytics_worker.host_port import Authority
from analytics_worker.settings import project_root, settings, unread_variables
from analytics_worker.stack.state_dir import Component, StateFolder

LARGE_FOLDER_BYTES = {"STATE_DIR": 20e9, "LOG_DIR": 1e9, "REPORT_OUTPUT_DIR": 10e9}
SCHEME_PORTS = {"http": 80, "https": 443}
LARGE_DATABASE_BYTES = 2e9
CHANNEL_FIX = (
    "Correct it in .env of each host, and restart its workers, which read .env when they start;"
    " messages wait until then."
)
MEGABYTE = 1_000_000
READ_ENV = frozenset({"server", "worker", "exporter"})
"""Components that read .env."""


def variables() -> Iterator[Finding]:
    """Check for replaced variables, a default channel and the account of the worker."""
    config = settings()
    for line in config.replaced_variables():
        name, _, meaning = line.partition(": ")
        yield Finding("settings", name, "warn", meaning, "Remove it.")
    for line in unread_variables():
        name, _, problem = line.partition(" ")
        yield Finding("settings", name, "warn", problem, "Correct or remove it in .env.")
    yield _default_channel()
    is_root = os.geteuid() == 0
    message = "root: any caller of the API can run commands as root" if is_root else "not root"
    fix = "Run the worker as an ordinary user."
    yield graded("settings", "account of the worker", message, warn=is_root, fix=fix)


def env_file() -> Iterator[Finding]:
    """Check that the processes of the running stack have read the current .env."""
    file, record = project_root() / ".env", StateFolder(settings().state_dir).read()
    if record is None or not record.is_running() or not file.exists():
        return
    changed = file.stat().st_mtime
    before = [each.name for each in record.components if _began_before(each, changed)]
    message = f"changed after the start of {', '.join(before)}" if before else "read by all"
    fix = "Restart the stack: its processes read .env when they start."
    yield graded("settings", ".env", message, warn=bool(before), fix=fix)


def _began_before(component: Component, instant: float) -> bool:
    return component.name in READ_ENV and (component.created or instant) < instant


def _default_channel() -> Finding:
    names = default_channels()
    if not names:
        message = "no recipients for alerts and failing deployments"
        fix = "Set ALERT_WEBHOOK_URL, ALERT_SLACK_URL or ALERT_EMAIL_*."
        return Finding("settings", "default channel", "warn", message, fix)
    problems = [f"{name}: {problem}" for name in names if (problem := channel_problem(name))]
    message = "; ".join(problems) or "configured"
    return graded("settings", "default channel", message, warn=bool(problems), fix=CHANNEL_FIX)


def ports() -> Iterator[Finding]:
    """Check that the Prefect API and the metrics endpoint listen."""
    yield _api_port()
    message, is_open = _port("127.0.0.1", _metrics_port())
    fix = "`analytics-worker exporter`, or `make up`."
    yield graded("ports", "metrics", message, warn=not is_open, fix=fix)


def _api_port() -> Finding:
    url = get_current_settings().api.url
    if url is None:
        fix = "`make up`, or `analytics-worker server`, or set PREFECT_API_URL."
        return Finding("ports", "prefect api", "fail", "no server is known", fix)
    parts = urlsplit(url)
    message, is_open = _port(parts.hostname or "", parts.port or SCHEME_PORTS.get(parts.scheme, 80))
    fix = "`make up`, or correct PREFECT_API_URL."
    return graded("ports", "prefect api", message, fail=not is_open, fix=fix)


def _port(host: str, port: int) -> tuple[str, bool]:
    """Return whether something listens, in words and as a fact."""
    is_open = _listens(host, port)
    return f"{Authority(host, port)} {'listens' if is_open else 'does not answer'}", is_open


def _metrics_port() -> int:
    """Return the configured port, or else that of the running stack, which another shell may have set."""
    config = settings()
    record = StateFolder(config.state_dir).read()
    if "prometheus_port" in config.model_fields_set or record is None or not record.is_running():
        return config.prometheus_port
    return record.metrics_port or config.prometheus_port


def disk() -> Iterator[Finding]:
    """Check the free space and the sizes of the worker's folders."""
    config = settings()
    folders = {
        "STATE_DIR": config.state_dir,
        "LOG_DIR": config.log_dir,
        "REPORT_OUTPUT_DIR": config.report_output_dir,
    }
    for variable, folder in folders.items():
        usage = shutil.disk_usage(_existing(folder))
        low = usage.free < config.health_min_free_mb * MEGABYTE
        message = f"{size(usage.free)} of {size(usage.total)} free at {folder}"
        fix = f"Free some space, or set {variable} to a folder on another disk."
        yield graded("disk", variable, message, fail=low, fix=fix)
    for variable, folder in folders.items():
        used = _used(folder)
        fix = "`prefect deployment run cleanup-expired-tasks/monitoring`"
        large = used > LARGE_FOLDER_BYTES[variable]
        yield graded("size", variable, size(used), warn=large, fix=fix)
    yield from _databases(config.state_dir)


def _databases(state_dir: Path) -> Iterator[Finding]:
    for name, path in (
        ("prefect's database", state_dir / "prefect" / "prefect.db"),
        ("breakers", state_dir / "breakers.sqlite"),
        ("run results", Path(get_current_settings().results.local_storage_path)),
    ):
        if path.exists():
            used = _used(path)
            fix = "Lower RUN_RETENTION_DAYS, or keep the server's data in PostgreSQL."
            yield graded("size", name, size(used), warn=used > LARGE_DATABASE_BYTES, fix=fix)


def _used(path: Path) -> int:
    if path.is_file():
        wal = path.with_name(f"{path.name}-wal")
        return path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
    return sum(_bytes(file) for file in path.rglob("*"))


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() and not file.is_symlink() else 0
    except OSError:
        return 0  # deleted meanwhile, or not readable


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
