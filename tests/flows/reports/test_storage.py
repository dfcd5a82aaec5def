"""Report storage: a folder, or that of a block; files are complete or missing."""

import sys
import uuid
from importlib import import_module
from pathlib import Path

import fsspec
import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.report_storage.storage import (
    FolderStorage,
    StorageError,
    checked_filename,
    open_storage,
)
from analytics_worker.settings import settings
from blocks.report_storage import ReportStorage
from flows.reports.runs.manual import run_now
from tests.flows.reports.reports import attachment, make_retries_due, report
from tests.support.attacks import attack
from tests.support.sql import query


@attack(
    by="API caller",
    what="A report's file name with .., slashes, dots or line breaks",
    answer="Refused",
)
@pytest.mark.parametrize(
    "name",
    [
        "../a.csv",
        "/a.csv",
        ".a.csv",
        "a",
        "a b.csv",
        "A.csv",
        "-a.csv",
        "\u202ea.csv",
        "a\u200b.csv",
        "\u0301.csv",
        "ü" * 100 + ".csv",
        "a.csv\n",
        "",
        "a" * 300 + ".csv",
        "a.c.s.v",
    ],
)
@attack(
    by="API caller",
    what="a file name that leads out of the report folder",
    answer="refused",
)
def test_invalid_file_name_is_refused(name):
    with pytest.raises(StorageError):
        checked_filename(name)


def test_file_is_published_complete_and_replaced(tmp_path):
    folder_storage = FolderStorage(tmp_path / "new", "", None)
    for text in ("one", "two"):
        temporary = folder_storage.temporary("a-1.csv")
        temporary.write_text(text)
        before = [path.name for path in (tmp_path / "new").glob("[!.]*")]
        folder_storage.publish(temporary, "a-1.csv")
        assert before == ([] if text == "one" else ["a-1.csv"])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a-1.csv"]
    assert (tmp_path / "new" / "a-1.csv").read_text() == "two"


@attack(
    by="local user",
    what="A symbolic link in the report folder in place of a report",
    answer="Neither read nor removed: it leads out of the folder",
)
def test_symbolic_link_out_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("x")
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "a-1.csv").symlink_to(tmp_path / "secret")
    folder_storage = FolderStorage(folder, "", None)
    with pytest.raises(StorageError, match="leads out"), folder_storage.local("a-1.csv"):
        pass
    with pytest.raises(StorageError, match="leads out"):
        folder_storage.remove("a-1.csv")


@pytest.fixture
def block(prefect_api, monkeypatch) -> str:  # noqa: ARG001  # where blocks are stored
    """Store a block on fsspec's memory file system; return its name."""
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    ReportStorage(base=f"memory://{name}", link="https://files.example.com").save(name)
    monkeypatch.setenv("REPORT_STORAGE_BLOCK", name)
    monkeypatch.setenv("REPORT_STORAGE_PROTOCOLS", "s3,memory")
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "127.0.0.1")
    settings.cache_clear()
    return name


def test_report_in_a_bucket_is_sent_from_there(report_folder, block, smtp_sink):
    (result,) = run_now(report(), None)
    bucket = fsspec.filesystem("memory")
    (path,) = bucket.ls(f"/{block}", detail=False)
    name = Path(path).name
    assert result.get("files") == [f"https://files.example.com/{name}"]
    assert query("select storage from ops.report_runs") == [block]
    assert not list(report_folder.glob("*"))
    deliver_due("reports")
    assert attachment(smtp_sink.messages[0]) == bucket.cat(path) == b"n\n1\n"
    assert not list(report_folder.glob(".*")), "no copy remains on this host"


@pytest.fixture
def unreachable() -> dict[str, object]:
    """Return the options of a bucket whose server does not answer."""
    once = {"retries": {"max_attempts": 0}}
    return {
        "key": "k",
        "secret": "canary",
        "endpoint_url": "http://127.0.0.1:1",
        "config_kwargs": once,
    }


def test_unavailable_bucket_is_named(report_folder, block, unreachable):
    ReportStorage(base="s3://bucket", options=unreachable).save(block, overwrite=True)
    (result,) = run_now(report(), None)
    assert result["status"] == "failed"
    assert f"Report Storage block '{block}': Could not connect" in result.get("error", "")
    assert "canary" not in str(result)
    assert not list(report_folder.glob(".*"))


@pytest.mark.usefixtures("report_folder")
def test_deliveries_wait_for_an_unavailable_bucket(block, unreachable, smtp_sink):
    run_now(report(recipients=["ann@example.com", "bob@example.com"]), None)
    ReportStorage(base="s3://bucket", options=unreachable).save(block, overwrite=True)
    assert deliver_due("reports")["retrying"] == 2
    assert smtp_sink.messages == []
    ReportStorage(base=f"memory://{block}").save(block, overwrite=True)
    make_retries_due()
    assert deliver_due("reports")["sent"] == 2


@pytest.mark.usefixtures("report_folder")
def test_deleted_file_fails_its_delivery(block):
    run_now(report(), None)
    bucket = fsspec.filesystem("memory")
    bucket.rm(f"/{block}", recursive=True)
    assert deliver_due("reports")["failed"] == 1


def test_missing_package_is_named(block, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(import_module("fsspec.registry")._registry, "s3", raising=False)
    ReportStorage(base="s3://bucket/reports").save(block, overwrite=True)
    with pytest.raises(StorageError, match=r"pip install 'analytics-worker\[s3\]'"):
        open_storage(block)


def test_missing_block_is_named(prefect_api):  # noqa: ARG001
    with pytest.raises(StorageError, match="no Report Storage block named 'nowhere'"):
        open_storage("nowhere")
