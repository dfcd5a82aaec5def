"""What is said of a Prefect API that can't be connected to: the cause, and the variable that mends it."""

import ssl
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from prefect.settings import (
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_URL,
    temporary_settings,
)

from analytics_worker.cli.errors import error_message
from analytics_worker.doctor import runner
from analytics_worker.prefect_support.api_client import api_client
from tests.support.certificates import Certificate


class Api(BaseHTTPRequestHandler):
    """Answer as a Prefect API does, as far as it is asked."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"true")

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  # the library's signature
        """Print nothing."""


@contextmanager
def api(context: ssl.SSLContext | None = None) -> Generator[int]:
    """Serve one, with TLS if there is a context; its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


def message(url: str) -> str:
    with (
        temporary_settings({PREFECT_API_URL: url}),
        pytest.raises(Exception) as failed,  # noqa: PT011  # whichever it is, it is shown so
        api_client() as client,
    ):
        client.request("GET", "/health")
    with temporary_settings({PREFECT_API_URL: url}):
        return error_message(failed.value)


def test_a_private_ca_is_to_be_named(certificate: Certificate):
    with api(certificate.context()) as port:
        url = f"https://127.0.0.1:{port}/api"
        said = message(url)
        with temporary_settings({PREFECT_API_URL: url}):
            (found,) = runner._run_group("prefect api", runner._server)
        trusted: dict[Any, str] = {
            PREFECT_API_URL: url,
            PREFECT_API_SSL_CERT_FILE: str(certificate.path),
        }
        with temporary_settings(trusted), api_client() as client:
            assert client.request("GET", "/health").text == "true"
    fix = "et PREFECT_API_SSL_CERT_FILE to the file with the certificate of its CA."
    expected = f"The Prefect API {url} does not answer (its certificate is not trusted: self-signed certificate): s{fix}"
    assert said == expected
    assert found.fix == f"S{fix}"


def test_a_certificate_for_another_name_is_not_one_to_trust(certificate: Certificate):
    trusted: dict[Any, str] = {PREFECT_API_SSL_CERT_FILE: str(certificate.path)}
    with api(certificate.context()) as port, temporary_settings(trusted):
        said = message(f"https://localhost:{port}/api")
    assert "Hostname mismatch" in said
    assert said.endswith("correct PREFECT_API_URL, or renew the certificate.")


def test_https_to_a_port_without_tls_is_said():
    with api() as port:
        said = message(f"https://127.0.0.1:{port}/api")
    assert said.endswith("(no TLS there): set PREFECT_API_URL to http:// in place of https://.")


def test_a_name_that_does_not_resolve_is_said():
    said = message("http://analytics.invalid:4200/api")
    assert said.endswith("(its name does not resolve): correct PREFECT_API_URL.")
