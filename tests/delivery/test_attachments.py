"""A report is sent by a sender that can open its files; others skip it."""

from datetime import timedelta

import pytest

from analytics_worker.delivery import AttachmentUnavailableError, deliver_due
from analytics_worker.settings import settings
from tests.support.deliveries import email_recipient, open_report, sender, webhook_recipient


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, deliveries):
    del deliveries
    path = tmp_path / "reports"
    path.mkdir()
    (path / "sales.csv").write_bytes(b"n\n1\n")
    monkeypatch.setenv("REPORT_OUTPUT_DIR", str(path))
    settings.cache_clear()
    return path


@pytest.fixture
def elsewhere(monkeypatch, tmp_path, folder):
    """Set another REPORT_OUTPUT_DIR for this sender."""

    def move(there):
        monkeypatch.setenv("REPORT_OUTPUT_DIR", str(tmp_path / "nowhere" if there else folder))
        settings.cache_clear()

    return move


def attached(received):
    return [part.get_content() for part in received.mail.iter_attachments()]


def test_files_are_opened_once_for_all_recipients(deliveries, smtp_sink):
    opened = []

    def opener(attachment):
        opened.append(attachment.name)
        return open_report(attachment)

    recipients = [email_recipient(f"r{number}") for number in range(30)]
    deliveries.add(*recipients, domain="reports", files=["sales.csv"])
    assert deliver_due("reports", open_attachment=opener)["sent"] == 30
    assert opened == ["sales.csv"]
    assert all(attached(each) == [b"n\n1\n"] for each in smtp_sink.messages)


def test_a_message_whose_file_a_sender_can_t_open_is_sent_by_another_sender(
    deliveries, smtp_sink, elsewhere, delivery_context
):
    deliveries.add(email_recipient("ann"), key="<r@test>", domain="reports", files=["sales.csv"])
    deliveries.add(email_recipient("bob"), key="<plain@test>", domain="reports")
    elsewhere(there=True)
    result = deliver_due("reports", open_attachment=open_report)
    assert (result["sent"], result["retrying"]) == (1, 1)
    row = deliveries.row("<r@test>")
    assert (row["status"], row["attempts"], len(row["refused_by"])) == ("pending", 0, 1)
    assert "an attachment is not available: nowhere is not there" in row["last_error"]
    assert deliver_due("reports", open_attachment=open_report)["retrying"] == 0, "not by this one"
    elsewhere(there=False)
    with sender(delivery_context, "reports") as process:
        process.join(timeout=90)
        assert process.exitcode == 0
    assert attached(smtp_sink.messages[-1]) == [b"n\n1\n"]


def test_a_sender_that_refused_a_message_may_retry_later(deliveries, smtp_sink, elsewhere):
    deliveries.add(email_recipient("ann"), domain="reports", files=["sales.csv"])
    elsewhere(there=True)
    assert deliver_due("reports", open_attachment=open_report)["retrying"] == 1
    assert deliver_due("reports", open_attachment=open_report)["retrying"] == 0
    deliveries.run("update ops.deliveries set refused_at = now() - interval '11 minutes'")
    assert deliver_due("reports", open_attachment=open_report)["retrying"] == 1
    elsewhere(there=False)
    assert deliver_due("reports", open_attachment=open_report)["sent"] == 1
    assert len(smtp_sink.messages) == 1


def test_a_folder_that_is_there_again_is_used_at_once(deliveries, smtp_sink, folder):
    deliveries.add(email_recipient("ann"), domain="reports", files=["sales.csv"])
    folder.rename(folder.with_name("unmounted"))
    assert deliver_due("reports", open_attachment=open_report)["retrying"] == 1
    folder.with_name("unmounted").rename(folder)
    assert deliver_due("reports", open_attachment=open_report)["sent"] == 1
    assert len(smtp_sink.messages) == 1


def test_a_channel_without_files_gets_links_from_any_sender(deliveries, http_sink, elsewhere):
    elsewhere(there=True)
    deliveries.add(webhook_recipient(), domain="reports", files=["sales.csv"])
    assert deliver_due("reports")["sent"] == 1
    assert http_sink.requests[0].json["links"] == ["https://files/sales.csv"]


def test_a_deleted_file_fails_only_its_own_message(deliveries, smtp_sink):
    deliveries.add(
        email_recipient("ann"),
        domain="reports",
        files=["gone.csv"],
        owner="owner@example.com",
        key="<g@t>",
    )
    deliveries.add(email_recipient("bob"), domain="reports", files=["sales.csv"])
    result = deliver_due("reports", open_attachment=open_report)
    assert (result["sent"], result["failed"]) == (2, 1)
    assert "an attachment can't be read: gone.csv" in deliveries.row("<g@t>")["last_error"]
    assert smtp_sink.messages[-1].recipients == ["owner@example.com"]


def test_a_file_that_no_sender_can_open_fails_at_the_maximal_age(deliveries, elsewhere):
    deliveries.add(email_recipient("ann"), key="<r@test>", domain="reports", files=["sales.csv"])
    elsewhere(there=True)
    deliver_due("reports", open_attachment=open_report)
    deliveries.age(timedelta(hours=25))
    assert deliver_due("reports", open_attachment=open_report)["failed"] == 1
    assert "not available" in deliveries.row("<r@test>")["last_error"]


@pytest.mark.parametrize("error", [OSError("disk"), KeyError("k"), SystemExit(1)], ids=repr)
def test_an_opener_that_raises_counts_an_attempt_of_its_own_message(deliveries, error):
    def opener(attachment):
        if attachment.name == "odd.csv":
            raise error
        return open_report(attachment)

    deliveries.add(email_recipient("ann"), key="<odd@test>", domain="reports", files=["odd.csv"])
    deliveries.add(email_recipient("bob"), domain="reports", files=["sales.csv"])
    result = deliver_due("reports", open_attachment=opener)
    assert (result["sent"], result["retrying"]) == (1, 1)
    assert deliveries.row("<odd@test>")["attempts"] == 1


def test_the_public_error_is_no_os_error():
    assert not issubclass(AttachmentUnavailableError, OSError)
