"""Identify which report files a process can open: by its host and its settings.

Reads settings; writes nothing.
"""

import hashlib
import socket

from analytics_worker.settings import settings


def location_name() -> str:
    """Return the host and a hash of the storage settings; processes of one host may have others."""
    current = settings()
    folders = f"{current.report_output_dir}\n{current.report_storage_block}"
    return f"{socket.gethostname()}/{hashlib.sha256(folders.encode()).hexdigest()[:8]}"
