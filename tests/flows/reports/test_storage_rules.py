"""What a Report Storage block may name: folders, protocols, endpoints, options, links."""

from pathlib import Path

import pytest
from prefect.blocks.fields import SecretDict

from analytics_worker.report_storage.folder import FolderStorage
from analytics_worker.report_storage.storage import StorageError, open_storage
from analytics_worker.settings import settings
from blocks.report_storage import ReportStorage
from tests.support.attacks import attack
from tests.support.http_sink import HttpSink

KEYS = {"key": "k", "secret": "canary"}


@pytest.fixture
def block(monkeypatch, tmp_path):
    """Return a function that stores a block named ``storage``; reports are in a folder of the test."""
    monkeypatch.setenv("REPORT_OUTPUT_DIR", str(tmp_path / "reports"))
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "")
    settings.cache_clear()

    def store(base: str, link: str | None = None, **options) -> None:
        stored = ReportStorage(base=base, link=link, options=SecretDict(options))
        monkeypatch.setattr(ReportStorage, "load", lambda *_, **__: stored)

    return store


def publish(path: Path) -> None:
    storage = open_storage("storage")
    temporary = storage.temporary("a-1.csv")
    temporary.write_text(path.name)
    storage.publish(temporary, "a-1.csv")


@attack(
    by="API caller",
    what="A Report Storage block on a folder of the system, by .., file:// or a link",
    answer="Refused unless REPORT_STORAGE_FOLDERS lists it; nothing is written there",
)
@pytest.mark.parametrize("base", ["{out}", "file://{out}", "local://{out}", "FILE://{out}", "../out", "reports/../../out", "link/x"])  # fmt: skip
def test_folder_outside_the_allowed_ones_is_refused(base, block, tmp_path, monkeypatch):
    out = tmp_path / "out"
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "link").symlink_to(out)
    block(base.format(out=out))
    with pytest.raises(StorageError, match="REPORT_STORAGE_FOLDERS"):
        open_storage("storage")
    assert not out.exists()
    monkeypatch.setenv("REPORT_STORAGE_FOLDERS", f"/srv/others,{out}")
    settings.cache_clear()
    assert isinstance(open_storage("storage"), FolderStorage)


@pytest.mark.parametrize("base", ["monthly", "file://monthly", "{reports}/monthly", "{reports}"])
def test_folder_below_the_output_folder_is_allowed(base, block, tmp_path):
    block(base.format(reports=tmp_path / "reports"))
    publish(tmp_path)
    assert len(list((tmp_path / "reports").rglob("a-1.csv"))) == 1


@attack(
    by="API caller",
    what="Any other protocol of fsspec, or a chain of them: http, ftp, sftp, smb, github, simplecache::",
    answer="Refused unless REPORT_STORAGE_PROTOCOLS lists it; chains always",
)
@pytest.mark.parametrize(
    "base",
    [
        "http://127.0.0.1:{port}/x",
        "https://127.0.0.1:{port}/x",
        "ftp://127.0.0.1:{port}/x",
        "sftp://127.0.0.1:{port}/x",
        "smb://127.0.0.1:{port}/x",
        "hdfs://127.0.0.1:{port}/x",
        "webhdfs://127.0.0.1:{port}/x",
        "github://org:repo@main/x",
        "memory://x",
        "arrow_hdfs://127.0.0.1:{port}/x",
        "simplecache::s3://bucket/x",
        "s3://bucket/x::http://127.0.0.1:{port}/x",
        "filecache::file:///etc",
        "dir::file:///etc",
        "reference://x",
        "data:text/plain,x::s3://b/x",
    ],
)
def test_other_protocol_is_refused(base, block, http_sink, monkeypatch):
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "127.0.0.1")
    settings.cache_clear()
    block(base.format(port=http_sink.port))
    with pytest.raises(StorageError, match=r"REPORT_STORAGE_PROTOCOLS|REPORT_STORAGE_FOLDERS"):
        open_storage("storage")
    assert http_sink.connections == 0


@attack(
    by="API caller",
    what="An internal S3 endpoint, by any spelling or name, or through a proxy option",
    answer="Refused as the worker is about to connect; no request arrives",
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]"])  # fmt: skip
@pytest.mark.parametrize("nested", [False, True])
def test_internal_endpoint_is_refused(host, nested, block, http_sink, monkeypatch, tmp_path):  # fmt: skip
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{http_sink.port}")
    settings.cache_clear()
    endpoint = {"endpoint_url": f"http://{host}:{http_sink.port}"}
    options = {"client_kwargs": endpoint} if nested else endpoint
    block("s3://bucket", **KEYS, **options, config_kwargs={"retries": {"max_attempts": 0}})
    reasons = r"inside the network|is not a canonical IPv4 address"  # aiohttp's message for 127.1
    with pytest.raises((StorageError, OSError), match=reasons) as refused:
        publish(tmp_path)
    assert (http_sink.connections, http_sink.requests) == (0, [])
    assert "canary" not in str(refused.value)


@attack(
    by="API caller",
    what="An internal S3 endpoint, reached by an allowed proxy of the environment",
    answer="A block's endpoint is connected to directly, without the proxy",
)
def test_proxy_of_the_environment_is_not_used(block, http_sink, monkeypatch, tmp_path):
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{http_sink.port}")
    settings.cache_clear()
    once = {"retries": {"max_attempts": 0}}
    block("s3://bucket", **KEYS, endpoint_url="http://127.0.0.2:9", config_kwargs=once)
    with pytest.raises(StorageError, match="inside the network"):
        publish(tmp_path)
    assert http_sink.connections == 0


def test_allowed_endpoint_is_reached(block, monkeypatch, tmp_path):
    sink = HttpSink()
    sink.start()
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "127.0.0.0/8")
    settings.cache_clear()
    once = {"retries": {"max_attempts": 0}}
    block("s3://bucket", **KEYS, endpoint_url=f"http://127.0.0.1:{sink.port}", config_kwargs=once)
    with pytest.raises(OSError, match="Report Storage block 'storage'"):
        publish(tmp_path)  # it is not an S3 server
    sink.stop()
    assert sink.connections > 0


@attack(
    by="API caller",
    what="An S3 endpoint of the caller, to obtain the worker's AWS credentials",
    answer="An endpoint needs a key and a secret in the block",
)
def test_credentials_of_the_worker_are_only_for_aws(block):
    block("s3://bucket", endpoint_url="https://s3.example.com")
    with pytest.raises(StorageError, match="needs key and secret"):
        open_storage("storage")


@attack(
    by="API caller",
    what="fsspec and S3 options that name files, programs, profiles, proxies or sessions",
    answer="Refused by name",
)
@pytest.mark.parametrize(
    "options",
    [
        {"profile": "admin"},
        {"session": "x"},
        {"loop": 1},
        {"cache_storage": "/etc"},
        {"target_protocol": "file"},
        {"client_kwargs": {"verify": "/etc/passwd"}},
        {"client_kwargs": {"config": {}}},
        {"config_kwargs": {"proxies": {"http": "http://127.0.0.1:1"}}},
        {"config_kwargs": {"client_cert": "/etc/passwd"}},
        {"config_kwargs": {"endpoint_url": "http://127.0.0.1:1"}},
    ],
)
def test_unknown_option_is_refused(options, block):
    block("s3://bucket", **KEYS, **options)
    with pytest.raises(StorageError, match="is not permitted; expected"):
        open_storage("storage")


@pytest.mark.parametrize(
    "options", [{"client_kwargs": "x"}, {"endpoint_url": "file:///etc"}, {"endpoint_url": "http://u:p@h"}, {"endpoint_url": "http://"}, {"endpoint_url": "http://h:x"}]
)  # fmt: skip
def test_invalid_option_is_refused(options, block):
    block("s3://bucket", **KEYS, **options)
    with pytest.raises(StorageError, match=r"is not (a )?valid"):
        open_storage("storage")


@pytest.mark.parametrize("base", ["s3://", "s3://a@b/x", "s3://bucket/x?y", "s3://b/x"])
def test_invalid_bucket_name_is_refused(base, block):
    block(base, **KEYS)
    with pytest.raises(StorageError, match="not a valid base"):
        open_storage("storage")


@attack(
    by="API caller",
    what="A javascript: or file: link of a block, which emails would show",
    answer="Refused: only http and https are allowed",
)
@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "file:///etc", 'https://h/"><script>', "h"]
)
def test_link_that_is_not_a_web_address_is_refused(link, block):
    block("monthly", link=link)
    with pytest.raises(StorageError, match="not a valid link"):
        open_storage("storage")
