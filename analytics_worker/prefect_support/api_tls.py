"""Share the TLS context of Prefect's clients: reading the certificates takes 15 ms, and each client reads them again.

Follows Prefect's settings for its API (PREFECT_API_SSL_CERT_FILE, PREFECT_API_TLS_INSECURE_SKIP_VERIFY). A file
that was replaced is read again. Reads certificates; writes nothing.
"""

import functools
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import certifi
from prefect.client.orchestration import PrefectClient, SyncPrefectClient
from prefect.settings import get_current_settings

WITHOUT_TLS = re.compile(r"http://(127\.|localhost[:/]|\[::1\])")
"""URLs of an API on this host: connections to it never need a certificate."""


def api_ssl_context() -> ssl.SSLContext | None:
    """Return the context for connections to the API; None where Prefect makes one of its own."""
    api = get_current_settings().api
    if api.tls_insecure_skip_verify:
        return None
    if "ssl_cert_file" not in api.model_fields_set and WITHOUT_TLS.match(str(api.url or "")):
        return _without_certificates()
    file = Path(api.ssl_cert_file or certifi.where())
    try:
        status = file.stat()
    except OSError:
        return None  # the error is Prefect's to report
    return _read(file, (status.st_mtime_ns, status.st_size, status.st_ino))


@functools.lru_cache(maxsize=2)
def _read(file: Path, _version: tuple[int, ...]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=file)


@functools.lru_cache(maxsize=1)
def _without_certificates() -> ssl.SSLContext:
    """Return a context that accepts no certificate; certifi's 140 certificates take 4 MB in each process."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def share_api_ssl_context() -> None:
    """Let all clients that Prefect makes in this process share the context, and read it now."""
    for client in (PrefectClient, SyncPrefectClient):
        client.__init__ = _with_shared_context(client.__init__)
    api_ssl_context()


def _with_shared_context(initialize: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(initialize)
    def initialize_with_context(client: object, *args: Any, **options: Any) -> None:
        settings = options.pop("httpx_settings", None) or {}
        initialize(client, *args, httpx_settings=with_shared_context(settings), **options)

    return initialize_with_context


def with_shared_context(httpx_settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a client with the shared context, unless they have one."""
    context = api_ssl_context()
    return {"verify": context, **httpx_settings} if context else httpx_settings
