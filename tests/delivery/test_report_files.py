"""Report files are opened by every sender; a sender that can't reach them skips the message."""

import uuid
from contextlib import ExitStack

import fsspec
import pytest

from analytics_worker.delivery import AttachmentUnavailableError, deliver_due
from analytics_worker.delivery.message import Attachment, Content
from analytics_worker.delivery.report_files import open_report_file
from analytics_worker.errors import PermanentError
from analytics_worker.report_storage.location import location_name
from analytics_worker.settings import settings
from blocks.report_storage import ReportStorage
from tests.support.deliveries import email_recipient


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "reports"
    path.mkdir()
    (path / "sales-1.csv").write_bytes(b"n\n1\n")
    monkeypatch.setenv("REPORT_OUTPUT_DIR", str(path))
    settings.cache_clear()
    return path


@pytest.fixture
def bucket(prefect_api, monkeypatch, folder):  # noqa: ARG001  # where blocks are stored
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    ReportStorage(base=f"memory://{name}").save(name)
    monkeypatch.setenv("REPORT_STORAGE_PROTOCOLS", "s3,memory")
    settings.cache_clear()
    fsspec.filesystem("memory").pipe(f"/{name}/sales-1.csv", b"n\n2\n")
    return name


def file(name="sales-1.csv", storage="", written_by=""):
    return Attachment(
        storage=storage, name=name, attach_as="s.csv", media_type="text/csv", written_by=written_by
    )


def content_of(attachment):
    with open_report_file(attachment) as path:
        return path.read_bytes()


@pytest.mark.usefixtures("folder")
def test_a_file_of_the_folder_is_opened():
    assert content_of(file()) == b"n\n1\n"


@pytest.mark.usefixtures("folder")
def test_a_missing_file_is_final_only_for_the_host_that_wrote_it():
    with pytest.raises(
        AttachmentUnavailableError, match=r"gone-1\.csv is not in the report folder here"
    ):
        content_of(file("gone-1.csv", written_by="other/1234"))
    with pytest.raises(FileNotFoundError):
        content_of(file("gone-1.csv", written_by=location_name()))


@pytest.mark.usefixtures("folder")
def test_another_folder_is_another_location(monkeypatch, tmp_path):
    writer = location_name()
    monkeypatch.setenv("REPORT_OUTPUT_DIR", str(tmp_path))
    settings.cache_clear()
    with pytest.raises(AttachmentUnavailableError):
        content_of(file(written_by=writer))


def test_a_host_of_the_same_name_and_path_is_another_location(folder):
    writer = location_name()
    folder.rename(folder.with_name("of-the-other-container"))
    assert location_name() != writer
    folder.mkdir()
    with pytest.raises(AttachmentUnavailableError):
        content_of(file(written_by=writer))


def test_a_folder_that_processes_share_is_one_location(monkeypatch, folder, tmp_path):
    writer = location_name()
    (tmp_path / "mounted").symlink_to(folder)
    monkeypatch.setenv("REPORT_OUTPUT_DIR", str(tmp_path / "mounted"))
    settings.cache_clear()
    with pytest.raises(FileNotFoundError):
        content_of(file("gone-1.csv", written_by=writer))


@pytest.mark.parametrize("name", ["../sales-1.csv", "/etc/passwd", ".sales-1.csv", "link-1.csv"])
def test_a_name_that_is_not_a_report_file_is_refused_for_good(folder, tmp_path, name):
    (tmp_path / "secret").write_text("x")
    (folder / "link-1.csv").symlink_to(tmp_path / "secret")
    with pytest.raises(PermanentError):
        content_of(file(name, written_by="other/1234"))


def test_an_unknown_block_may_be_known_to_other_hosts(folder, prefect_api):  # noqa: ARG001
    with pytest.raises(AttachmentUnavailableError, match="no Report Storage block named 'nowhere'"):
        content_of(file(storage="nowhere"))


def test_a_forbidden_protocol_may_be_permitted_on_other_hosts(bucket, monkeypatch):
    monkeypatch.setenv("REPORT_STORAGE_PROTOCOLS", "s3")
    settings.cache_clear()
    with pytest.raises(AttachmentUnavailableError, match="REPORT_STORAGE_PROTOCOLS"):
        content_of(file(storage=bucket))


def test_a_file_that_is_not_in_the_bucket_is_missing_for_all_hosts(bucket):
    with pytest.raises(FileNotFoundError):
        content_of(file("gone-1.csv", storage=bucket))


def test_senders_of_the_same_file_have_copies_of_their_own(bucket, folder):
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(open_report_file(file(storage=bucket))) for _ in range(2)
        )
        assert first != second
        assert first.read_bytes() == second.read_bytes() == b"n\n2\n"
    assert [path.name for path in folder.iterdir()] == ["sales-1.csv"]


@pytest.mark.usefixtures("folder")
def test_files_are_opened_for_every_domain_by_default(deliveries, smtp_sink):
    content = Content(subject="Sales", text="t", attachments=(file(),))
    deliveries.add(email_recipient("ann"), domain="reports", content=content)
    assert deliver_due()["sent"] == 1
    (part,) = smtp_sink.messages[0].mail.iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("s.csv", b"n\n1\n")
