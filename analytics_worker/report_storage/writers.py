"""Mark a temporary file with the process that writes it, so that it can be deleted once that process has ended.

Reads /proc; writes nothing. Of another host, container or boot nothing is known.
"""

import hashlib
import os
import re
import secrets
from pathlib import Path

from analytics_worker.process_identity import BOOT_ID, PID_NAMESPACE, ProcessIdentity

_MARK = re.compile(r"\.([0-9a-f]{8})-([0-9]{1,10})-([0-9]{1,19})-[0-9a-f]{8}\.part")


def new_mark() -> str:
    """Return a text, different each time, that names this process."""
    identity = ProcessIdentity.of(os.getpid())
    started = identity.started if identity else 0
    return f"{_place()}-{os.getpid()}-{started}-{secrets.token_hex(4)}"


def writer_has_ended(path: Path) -> bool:
    """Whether a process of this host wrote the file, and no longer exists."""
    found = _MARK.search(path.name)
    if found is None or found[1] != _place():
        return False
    identity = ProcessIdentity.of(int(found[2]))
    return identity is None or identity.started != int(found[3])


def _place() -> str:
    """Return a short name of what has the processes: this boot of this host, and within it the container."""
    place = f"{BOOT_ID.read_text()}{PID_NAMESPACE.stat().st_ino}"
    return hashlib.sha256(place.encode()).hexdigest()[:8]
