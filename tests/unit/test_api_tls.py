"""Clients of the Prefect API share one TLS context, which follows Prefect's settings."""

import shutil
import ssl
from pathlib import Path
from typing import Any

import certifi
import pytest
from prefect import get_client
from prefect.client.orchestration import PrefectClient, SyncPrefectClient
from prefect.settings import (
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_TLS_INSECURE_SKIP_VERIFY,
    PREFECT_API_URL,
    Settings,
    get_current_settings,
    temporary_settings,
)

from analytics_worker.prefect_support import api_tls
from analytics_worker.prefect_support.api_tls import api_ssl_context, share_api_ssl_context
from analytics_worker.prefect_support.stack_access import with_stack_access

ADDRESS: dict[Any, str] = {PREFECT_API_URL: "https://prefect.example/api"}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Contexts that were made, in order."""
    made: list[object] = []
    create = api_tls.ssl.create_default_context
    api_tls._read.cache_clear()

    def counted(*args: object, **options: object) -> object:
        made.append(create(*args, **options))  # pyright: ignore[reportArgumentType]
        return made[-1]

    monkeypatch.setattr(api_tls.ssl, "create_default_context", counted)
    for client in (PrefectClient, SyncPrefectClient):
        monkeypatch.setattr(client, "__init__", client.__init__)
    return made


def test_all_clients_of_a_process_read_the_certificates_once(reads: list[object]):
    share_api_ssl_context()
    with temporary_settings(ADDRESS):
        for _ in range(3):
            get_client()
            get_client(sync_client=True)
        get_client({"headers": {"x": "y"}}, sync_client=True)
    assert len(reads) == 1


def test_a_client_with_a_context_of_its_own_keeps_it(reads: list[object]):
    share_api_ssl_context()
    with temporary_settings(ADDRESS):
        get_client({"verify": api_tls.ssl.create_default_context()}, sync_client=True)
    assert len(reads) == 2  # the shared one and the one above


def test_a_certificate_file_that_was_replaced_is_read_again(reads: list[object], tmp_path: Path):
    file = tmp_path / "ca.pem"
    shutil.copy(certifi.where(), file)
    with temporary_settings({PREFECT_API_SSL_CERT_FILE: str(file)}):
        first = api_ssl_context()
        assert api_ssl_context() is first
        file.unlink()
        assert api_ssl_context() is None
        file.write_text(Path(certifi.where()).read_text() + "\n# renewed\n")
        assert api_ssl_context() is not first
    assert len(reads) == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:4200/api", "http://[::1]:4200/api"])
def test_an_api_on_this_host_without_tls_needs_no_certificate(reads: list[object], url: str):
    with temporary_settings({PREFECT_API_URL: url}):
        context = api_ssl_context()
    assert context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509"] == 0
    assert reads == []


@pytest.mark.parametrize("url", ["http://localhost.example.com/api", "http://10.0.0.1:4200/api"])
def test_an_api_on_another_host_may_redirect_to_tls(reads: list[object], url: str):
    with temporary_settings({PREFECT_API_URL: url}):
        context = api_ssl_context()
    assert context
    assert context.cert_store_stats()["x509"] > 100
    assert len(reads) == 1


def test_prefect_makes_the_context_that_verifies_nothing():
    with temporary_settings({PREFECT_API_TLS_INSECURE_SKIP_VERIFY: True}):
        assert api_ssl_context() is None


def test_the_settings_of_the_stack_are_copied_once():
    with temporary_settings({"server.ephemeral.enabled": True}):
        used = [_settings_inside() for _ in range(3)]
    assert len({id(settings) for settings in used}) == 1
    assert not used[0].server.ephemeral.enabled
    with temporary_settings({"server.ephemeral.enabled": True, **ADDRESS}):
        assert _settings_inside().api.url == ADDRESS[PREFECT_API_URL]


def _settings_inside() -> Settings:
    with with_stack_access(), with_stack_access():
        return get_current_settings()
