"""Whom to trust on encrypted connections.

Reads certificates once a process: those in SSL_CERT_FILE or SSL_CERT_DIR, else the ones that come with
the environment (certifi), because not every container has the system's.
"""

from functools import lru_cache
from ssl import SSLContext

from httpx import create_ssl_context


@lru_cache(maxsize=1)
def trust() -> SSLContext:
    """A context that verifies certificates and host names."""
    return create_ssl_context()
