"""Identify which report files a process can open: by its folder of them, wherever that is, and its settings.

Reads settings, the kernel's boot id and the status of the folder; writes nothing. A host's name is no identity:
containers and cloned machines share one. A folder is the same one only for processes that see the same
directory of the same file system, in one boot of the kernel. After a reboot it is another location, whose missing
files others may have: that is the safe mistake.
"""

import hashlib
import os
import socket
from pathlib import Path

from analytics_worker.process_identity import BOOT_ID
from analytics_worker.settings import settings


def location_name() -> str:
    """Return the host, for people, and a hash of the folder's identity and the storage settings."""
    current = settings()
    identity = f"{_identity(current.report_output_dir)}\n{current.report_storage_block}"
    return f"{socket.gethostname()}/{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def _identity(folder: Path) -> str:
    """Return what identifies the folder, or its nearest parent that exists and the path below that."""
    for existing in (folder, *folder.parents):
        try:
            status = os.stat(existing)  # noqa: PTH116  # follows links, as the files are opened
        except OSError:
            continue
        below = folder.relative_to(existing)
        return f"{BOOT_ID.read_text().strip()} {status.st_dev} {status.st_ino} {below}"
    return str(folder)
