"""Create the default TLS context.

Reads certificates once per process: those in SSL_CERT_FILE or SSL_CERT_DIR, else those of certifi,
because not every container has the system's.
"""

from functools import lru_cache
from ssl import SSLContext

from httpx import create_ssl_context

from analytics_worker.errors import ConfigurationError


@lru_cache(maxsize=1)
def default_ssl_context() -> SSLContext:
    """Return a context that verifies certificates and host names.

    Raises:
        ConfigurationError: the certificates can't be read.
    """
    try:
        return create_ssl_context()
    except OSError as error:
        raise ConfigurationError(
            f"the certificates can't be read: {error.strerror or 'not valid'};"
            " correct SSL_CERT_FILE or SSL_CERT_DIR"
        ) from error
