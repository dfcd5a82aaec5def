"""Say why a connection to the Prefect API failed, and how to fix it. Reads and writes nothing."""

import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from analytics_worker.stack_address import API_URL

OTHER_FIX = f"run `make up`, or set {API_URL}"
TRUST = "set PREFECT_API_SSL_CERT_FILE to the file with the certificate of its CA"
UNKNOWN_ISSUER_CODES = frozenset({2, 18, 19, 20, 21})
"""OpenSSL's X509_V_ERR_… of certificates that no trusted CA has signed."""
PLAIN_TEXT = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
"""OpenSSL's reasons where the answer is no TLS."""


class Cause(NamedTuple):
    """Why, in words, and what to do."""

    reason: str
    fix: str = OTHER_FIX


def connection_cause(error: BaseException) -> Cause:
    """Return the cause of an error of httpx."""
    found = (cause for link in _chain(error) if (cause := _cause(link)))
    return next(found, Cause(type(error).__name__))


def _cause(error: BaseException) -> Cause | None:
    match error:
        case ssl.SSLCertVerificationError():
            is_unknown = error.verify_code in UNKNOWN_ISSUER_CODES
            fix = TRUST if is_unknown else f"correct {API_URL}, or renew the certificate"
            return Cause(f"its certificate is not trusted: {error.verify_message}", fix)
        case ssl.SSLError() if error.reason in PLAIN_TEXT:
            return Cause("no TLS there", f"set {API_URL} to http:// in place of https://")
        case ssl.SSLError():
            return Cause(f"TLS: {error.reason or 'failed'}")
        case socket.gaierror():
            return Cause("its name does not resolve", f"correct {API_URL}")
        case ConnectionRefusedError():
            return Cause("connection refused")
        case _:
            return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it was raised from or during."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
