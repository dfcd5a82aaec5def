"""The old outboxes are migrated while senders of the previous version run: nothing is lost, ids are kept."""

import itertools
import multiprocessing
import os
from collections import Counter
from contextlib import contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import deliver_due
from analytics_worker.stack.postgres.cluster import OWNER
from tests.support import old_alert_sender, old_monitoring_sender
from tests.support.deliveries import open_report
from tests.support.old_alert_sender import old_sender, old_sender_context
from tests.support.old_outboxes import Before
from tests.support.postgres import administer, database_on
from tests.support.revisions import BEFORE_SWITCH, switch, upgrade_to
from tests.support.wait_until import wait_until

__all__ = ["old_sender_context"]

_numbers = itertools.count(1)
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def database_url(postgres):
    """Return a database of the previous version."""
    name = f"switch_{os.getpid()}_{next(_numbers)}"
    administer(postgres, "create database {name} owner {owner}", name=name, owner=OWNER)
    upgrade_to(database_on(postgres, name), BEFORE_SWITCH)
    yield database_on(postgres, name)
    administer(postgres, "drop database {name} with (force)", name=name)


@pytest.fixture
def before(deliveries, monkeypatch, tmp_path) -> Before:
    (tmp_path / "sales.csv").write_bytes(b"n\n1\n")
    monkeypatch.setenv("REPORT_OUTPUT_DIR", str(tmp_path))
    return Before(deliveries)


SAME = "id, status, channel, recipient, attempts, next_attempt_at, last_error, created_at, sent_at"


def test_rows_in_every_status_keep_ids_and_stay_visible(before, database_url):
    before.every_status()
    columns = SAME.replace("channel, ", "")
    old = before.shown(columns)
    switch(database_url)
    assert before.shown(columns) == old
    assert before.run("select count(*) as n from ops.messages where unheard_at is null")


def test_waiting_messages_are_sent_with_their_id_and_sent_ones_are_not(
    before, deliveries, database_url, smtp_sink, http_sink
):
    before.every_status()
    before.run(
        "update ops.report_deliveries set recipient = 'bob@example.com' where role = 'owner'"
    )
    waiting = before.run("select id from ops.deployment_notices where status = 'pending'")
    switch(database_url)
    result = deliver_due(open_attachment=open_report)
    assert (result["failed"], result["unheard"]) == (0, 0)
    assert Counter(http_sink.keys()) == Counter(["a-pending", "a-sending", str(waiting[0]["id"])])
    ids = sorted(each.partition("@")[0] for each in smtp_sink.ids())
    assert ids == ["<r-owner", "<r-pending", "<r-sending"]
    (report, *_) = [each for each in smtp_sink.messages if each.id.startswith("<r-pending")]
    (part,) = report.mail.iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("Sales.csv", b"n\n1\n")
    (failing,) = [each for each in http_sink.requests if each.key == str(waiting[0]["id"])]
    assert failing.json["subject"] == "[failing] run-dbt/dbt: Failed"
    assert deliveries.statuses().count("pending") == 0


def test_a_running_sender_of_the_previous_version_finishes_its_batch(
    before, deliveries, database_url, http_sink, old_sender_context
):
    for number in range(3):
        before.alert(f"k{number}")
    with http_sink.pausing_answer(to=1) as held, old_sender(old_sender_context) as process:
        wait_until(held.is_set, timeout=90)
        switch(database_url)
        assert deliver_due("alerts")["sent"] == 0, "they are the old sender's"
        http_sink.release()
        process.join(timeout=60)
        assert process.exitcode is not None  # it fails afterwards, where it would notify owners
    assert Counter(http_sink.keys()) == Counter(f"k{n}" for n in range(3))
    assert deliveries.statuses() == ["sent"] * 3
    assert deliver_due("alerts")["sent"] == 0


def test_the_batch_of_a_killed_sender_of_the_previous_version_is_recovered(
    before, deliveries, database_url, http_sink, old_sender_context
):
    for number in range(3):
        before.alert(f"k{number}")
    with http_sink.pausing_answer(to=1) as held, old_sender(old_sender_context) as process:
        wait_until(held.is_set, timeout=90)
        switch(database_url)
        process.kill()
        process.join()

    def all_sent():
        deliver_due("alerts")
        return deliveries.statuses() == ["sent"] * 3

    wait_until(all_sent, timeout=60)
    arrived = Counter(http_sink.keys())
    assert set(arrived) == {"k0", "k1", "k2"}
    assert arrived.total() == 4, "the one in doubt comes twice, as itself"


def test_flows_of_the_previous_version_continue_to_enqueue(
    before, deliveries, database_url, http_sink
):
    switch(database_url)
    before.alert("k0")
    before.notice()
    assert deliver_due()["sent"] == 2
    before.notice(kind="recovered")
    assert old_monitoring_sender.send_notices() == 1
    assert deliveries.statuses() == ["sent"] * 3
    assert [each.json.get("subject") for each in http_sink.requests[:2]] == [
        "Pipeline fell",
        "[failing] run-dbt/dbt: Failed",
    ]


def test_a_sender_of_the_previous_version_that_starts_later_fails_and_sends_nothing(
    before, deliveries, database_url, http_sink
):
    """Its first step, notifying owners, fails through the views; no message is lost."""
    switch(database_url)
    before.alert("k0")
    with pytest.raises(ProgrammingError, match="ON CONFLICT"):
        old_alert_sender.deliver_due()
    assert (http_sink.requests, deliveries.statuses()) == ([], ["pending"])
    assert deliver_due()["sent"] == 1


def _switch(url) -> None:
    switch(url)


@contextmanager
def migration(url):
    """Run the migration in a process that can be killed."""
    process = multiprocessing.get_context("forkserver").Process(target=_switch, args=(url,))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(timeout=30)
        process.close()


STEPS = [
    "ops.alert_deliveries",
    "ops.report_deliveries",
    "ops.deployment_notices",
    "ops.alert_events",
    "ops.messages",
    "ops.deliveries",
    "ops.report_runs",
    "ops.alembic_version",
]


@pytest.mark.parametrize("table", STEPS)
def test_a_migration_that_is_killed_has_changed_nothing(before, database_url, table, http_sink):
    before.every_status()
    old = before.shown()
    with warehouse() as connection:
        mode = "share" if table == "ops.alembic_version" else "access exclusive"
        connection.execute(text(f"lock table {table} in {mode} mode"))
        with migration(database_url) as process:
            wait_until(
                lambda: connection.execute(
                    text(
                        "select 1 from pg_locks where not granted"
                        " and relation = cast(:name as regclass)"
                    ),
                    {"name": table},
                ).all(),
                timeout=90,
            )
            process.kill()
            process.join()
        connection.rollback()

    def migration_is_gone():
        return not before.run(
            "select 1 from pg_locks where locktype = 'advisory' and objsubid = 1 and granted"
            " and database = (select oid from pg_database where datname = current_database())"
        )

    wait_until(migration_is_gone, timeout=30)
    assert before.shown() == old
    assert before.run("select count(*) as n from ops.messages")[0]["n"] == 0
    switch(database_url)
    assert deliver_due("alerts")["sent"] == 2
    assert sorted(http_sink.keys()) == ["a-pending", "a-sending"]


def test_reader_roles_see_nothing_of_it(before, database_url):
    before.every_status()
    switch(database_url)
    with warehouse() as connection:
        granted = connection.scalar(
            text("select has_table_privilege('analytics_reader', 'ops.deliveries', 'select')")
        )
    assert granted is False
