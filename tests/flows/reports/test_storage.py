"""Where files go: a folder, or what a report-storage block names; whole, or not there."""

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
from tests.flows.reports.reports import attachment, let_time_pass, report
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
        "a.csv\n",
        "",
        "a" * 300 + ".csv",
        "a.c.s.v",
    ],
)
@attack(
    by="API caller",
    what="a file name that leads out of the folder of reports",
    answer="refused",
)
def test_a_name_that_the_project_does_not_give_is_refused(name):
    with pytest.raises(StorageError):
        checked_filename(name)


def test_a_file_appears_whole_and_writing_again_replaces_it(tmp_path):
    place = FolderStorage(tmp_path / "new", "", None)
    for text in ("one", "two"):
        temporary = place.temporary("a-1.csv")
        temporary.write_text(text)
        before = [path.name for path in (tmp_path / "new").glob("[!.]*")]
        place.publish(temporary, "a-1.csv")
        assert before == ([] if text == "one" else ["a-1.csv"])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a-1.csv"]
    assert (tmp_path / "new" / "a-1.csv").read_text() == "two"


@attack(
    by="local user",
    what="A symbolic link in the report folder in place of a report",
    answer="Neither read nor removed: it leads out of the folder",
)
def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("x")
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "a-1.csv").symlink_to(tmp_path / "secret")
    place = FolderStorage(folder, "", None)
    with pytest.raises(StorageError, match="leads out"), place.local("a-1.csv"):
        pass
    with pytest.raises(StorageError, match="leads out"):
        place.remove("a-1.csv")


@pytest.fixture
def block(prefect_api, monkeypatch) -> str:  # noqa: ARG001  # where blocks are stored
    """A bucket: fsspec's file system in memory."""
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    ReportStorage(base=f"memory://{name}", link="https://files.example.com").save(name)
    monkeypatch.setenv("REPORT_STORAGE_BLOCK", name)
    monkeypatch.setenv("REPORT_STORAGE_PROTOCOLS", "s3,memory")
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "127.0.0.1")
    settings.cache_clear()
    return name


def test_a_report_in_a_bucket_is_sent_from_there(post, block, smtp_sink):
    (made,) = run_now(report(), None)
    bucket = fsspec.filesystem("memory")
    (path,) = bucket.ls(f"/{block}", detail=False)
    name = Path(path).name
    assert made.get("files") == [f"https://files.example.com/{name}"]
    assert query("select storage from ops.report_runs") == [block]
    assert not list(post.glob("*"))
    deliver_due("reports")
    assert attachment(smtp_sink.messages[0]) == bucket.cat(path) == b"n\n1\n"
    assert not list(post.glob(".*")), "no copy is left on this host"


@pytest.fixture
def away() -> dict[str, object]:
    """Options of a bucket whose server does not answer."""
    once = {"retries": {"max_attempts": 0}}
    return {
        "key": "k",
        "secret": "canary",
        "endpoint_url": "http://127.0.0.1:1",
        "config_kwargs": once,
    }


def test_a_bucket_that_is_away_when_the_report_is_made_is_named(post, block, away):
    ReportStorage(base="s3://bucket", options=away).save(block, overwrite=True)
    (made,) = run_now(report(), None)
    assert made["status"] == "failed"
    assert f"Report Storage block '{block}': Could not connect" in made.get("error", "")
    assert "canary" not in str(made)
    assert not list(post.glob(".*"))


@pytest.mark.usefixtures("post")
def test_mails_wait_for_a_bucket_that_is_away(block, away, smtp_sink):
    run_now(report(recipients=["ann@example.com", "bob@example.com"]), None)
    ReportStorage(base="s3://bucket", options=away).save(block, overwrite=True)
    assert deliver_due("reports")["retrying"] == 2
    assert smtp_sink.messages == []
    ReportStorage(base=f"memory://{block}").save(block, overwrite=True)
    let_time_pass()
    assert deliver_due("reports")["sent"] == 2


@pytest.mark.usefixtures("post")
def test_a_file_that_left_the_bucket_is_not_waited_for(block):
    run_now(report(), None)
    bucket = fsspec.filesystem("memory")
    bucket.rm(f"/{block}", recursive=True)
    assert deliver_due("reports")["failed"] == 1


def test_a_kind_of_storage_that_is_not_installed_says_what_to_install(block, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(import_module("fsspec.registry")._registry, "s3", raising=False)
    ReportStorage(base="s3://bucket/reports").save(block, overwrite=True)
    with pytest.raises(StorageError, match=r"pip install 'analytics-worker\[s3\]'"):
        open_storage(block)


def test_a_block_that_is_not_there_is_named(prefect_api):  # noqa: ARG001
    with pytest.raises(StorageError, match="no Report Storage block named 'nowhere'"):
        open_storage("nowhere")
