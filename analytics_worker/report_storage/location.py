"""Name what decides which report files a process can open: its host and its settings.

Reads settings; writes nothing.
"""

import hashlib
import socket

from analytics_worker.settings import settings


def location_name() -> str:
    """Return the host and the report folders of this process; a shell on the same host may differ."""
    chosen = settings()
    folders = f"{chosen.report_output_dir}\n{chosen.report_storage_block}"
    return f"{socket.gethostname()}/{hashlib.sha256(folders.encode()).hexdigest()[:8]}"
