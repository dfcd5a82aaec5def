"""``.venv/bin/prefect``: what goes wrong is a line and an exit code, as with our own command."""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from analytics_worker.stack_address import ApiUrlError, check_api_url

COMMAND = [sys.executable, "-c", "from analytics_worker.cli.prefect import main; main()"]
WRONG_LOGIN = "Basic YTp3cm9uZw=="  # a:wrong


class Api(BaseHTTPRequestHandler):
    """A Prefect API with a login, without deployments, below a user interface."""

    def do_GET(self):
        is_api = self.path.startswith("/api/")
        refused = self.headers["Authorization"] == WRONG_LOGIN
        is_health = self.path.endswith("/health")
        if not is_api or is_health:
            return self.answer(200, "true" if is_api else "<html></html>")
        return self.answer(401 if refused else 404, '{"detail": "no"}')

    do_POST = do_GET  # noqa: N815  # the library's name

    def answer(self, status, text):
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format, *args):  # noqa: A002  # the library's signature
        """Print nothing."""


@pytest.fixture(scope="module")
def address():
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def prefect(*words, output: Any = subprocess.PIPE, **variables):
    environment = os.environ | {"PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false"} | variables
    return subprocess.run(
        [*COMMAND, *words], env=environment, stdout=output, stderr=subprocess.PIPE, text=True, check=False
    )  # fmt: skip


def test_an_address_without_api_is_named_with_the_right_one(address):
    done = prefect("deployment", "ls", PREFECT_API_URL=address)
    expected = f"error: {address} is not the address of the API; set PREFECT_API_URL={address}/api"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{expected}\n")


def test_a_wrong_login_is_one_line(address):
    done = prefect(
        "work-pool", "ls", PREFECT_API_URL=f"{address}/api", PREFECT_API_AUTH_STRING="a:wrong"
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not accept the login in PREFECT_API_AUTH_STRING: set" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["refresh_catalog", "refresh-catalog/dbt"])
def test_the_name_of_a_deployment_is_suggested(address, name):
    done = prefect("deployment", "run", name, PREFECT_API_URL=f"{address}/api", COLUMNS="200")
    assert done.returncode == 1
    assert "did you mean 'refresh-catalog/analytics'?" in done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("\n") == 1


def test_a_full_device_is_one_line():
    with Path("/dev/full").open("w") as full:
        done = prefect("--version", output=full)
    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")


def test_a_reader_that_left_ends_it_silently():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        done = prefect("--version", output=closed)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:4200/api", "http:/host/api", "http://[x", "http://host:port/api", "ftp://host"]
)  # fmt: skip
def test_what_is_no_url_is_refused_before_prefect_reads_it(url):
    with pytest.raises(ApiUrlError, match="is not a valid URL; expected http://"):
        check_api_url(url)


def test_a_password_in_the_address_is_not_repeated():
    with pytest.raises(ApiUrlError) as refused:
        check_api_url("http://me:secret@[x/api")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", [None, "", "https://host/proxy/api", "http://[::1]:4200/api"])
def test_other_addresses_are_kept(url):
    check_api_url(url)


def test_the_server_s_database_has_the_url_that_our_server_accepts():
    url = "postgres://me@127.0.0.1:1/prefect?sslmode=prefer"
    words = ("server", "database", "upgrade", "-y")
    done = prefect(*words, PREFECT_SERVER_DATABASE_CONNECTION_URL=url)
    assert (done.returncode, done.stderr) == (1, "error: Connect call failed ('127.0.0.1', 1)\n")
