"""The old outboxes move while senders of the version before are alive: nothing lost, no new ids."""

import json
import multiprocessing
from collections import Counter
from contextlib import contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import deliver_due
from flows.alerts.notifications import outbox as old_alerts
from flows.monitoring import _notices as old_monitoring
from tests.support.deliveries import open_report
from tests.support.migrating import switch
from tests.support.outbox import sender as old_sender
from tests.support.outbox import sender_context
from tests.support.waiting import wait_until

__all__ = ["sender_context"]

pytestmark = pytest.mark.timeout(240)

OLD_TABLES = ("alert_deliveries", "report_deliveries", "deployment_notices")
STATUSES = {
    "alert_deliveries": ["pending", "sending", "sent", "failed", "skipped"],
    "report_deliveries": ["pending", "sending", "sent", "failed"],
    "deployment_notices": ["pending", "sent", "failed"],
}


class Before:
    """The tables of the version before, with rows in them."""

    def __init__(self, deliveries) -> None:
        self.run = deliveries.run

    def alert(self, key, status="pending", recipient="webhook", channel="webhook") -> None:
        (rule,) = self.run(
            "insert into ops.alert_rules (kind, name, definition, every) values ('alert', 'pipeline',"
            """ '{"owner": "owner@example.com"}', '2 minutes')"""
            " on conflict (kind, name) do update set kind = excluded.kind returning id"
        )
        (event,) = self.run(
            "insert into ops.alert_events (rule_id, kind) values (:rule, 'firing') returning id",
            rule=rule["id"],
        )
        self.run(
            "insert into ops.alert_deliveries (event_id, channel, recipient, message_id, payload,"
            " status, lease_owner, lease_until) values (:event, :channel, :recipient, :key,"
            """ '{"subject": "Pipeline fell", "text": "t", "json": {"rule": "pipeline"}}', :status,"""
            " case when :status = 'sending' then 'dead/1/abc' end, now() + interval '1 hour')",
            event=event["id"],
            channel=channel,
            recipient=recipient,
            key=key,
            status=status,
        )

    def report(self, key, status="pending", role="to", payload=None) -> None:
        (run,) = self.run(
            "insert into ops.report_runs (report, kind, period, definition, period_start, period_end,"
            " status, files, mail, finished_at) values ('sales', 'single', :key,"
            """ '{"owner": "owner@example.com"}', now(), now(), 'ready', cast(:files as jsonb),"""
            " cast(:mail as jsonb), now()) returning id",
            key=key,
            files=json.dumps(
                [
                    {
                        "name": "sales.csv",
                        "attach_as": "Sales.csv",
                        "media_type": "text/csv; charset=utf-8",
                        "bytes": 4,
                    }
                ]
            ),
            mail=json.dumps(
                {
                    "subject": "Sales",
                    "text": "t",
                    "html": "<p>t</p>",
                    "images": [{"name": "c", "mime_type": "image/png", "data": "AAAA"}],
                    "attach": ["sales.csv"],
                    "links": [],
                }
            ),
        )
        self.run(
            "insert into ops.report_deliveries (run_id, recipient, role, message_id, payload, status,"
            " lease_owner, lease_until) values (:run, 'ann@example.com', :role, :key,"
            " cast(:payload as jsonb), :status,"
            " case when :status = 'sending' then 'dead/1/abc' end, now() + interval '1 hour')",
            run=run["id"],
            role=role,
            key=key,
            payload=payload,
            status=status,
        )

    def notice(self, status="pending", kind="failing") -> str:
        (row,) = self.run(
            "insert into ops.deployment_notices (deployment, kind, details, channel, recipient,"
            " status) values ('run-dbt/dbt', :kind, cast(:details as jsonb), 'webhook', 'webhook',"
            " :status) returning id",
            kind=kind,
            status=status,
            details=json.dumps(
                {
                    "state": "Failed",
                    "message": "no such view",
                    "run_id": "r",
                    "failures": 2,
                    "since": "2026-11-22T08:00:00",
                    "ended_at": "2026-11-22T09:00:00",
                }
            ),
        )
        return str(row["id"])

    def every_status(self) -> None:
        for status in STATUSES["alert_deliveries"]:
            self.alert(f"a-{status}", status)
        for status in STATUSES["report_deliveries"]:
            self.report(f"r-{status}", status)
        self.report("r-owner", payload='{"subject": "Not made", "text": "t"}', role="owner")
        for status in STATUSES["deployment_notices"]:
            self.notice(status)

    def shown(self, columns="*") -> dict[str, list[dict[str, object]]]:
        return {
            name: [
                dict(row)
                for row in self.run(f"select {columns} from ops.{name} order by created_at, id")
            ]
            for name in OLD_TABLES
        }


@pytest.fixture
def before(deliveries, monkeypatch, tmp_path) -> Before:
    (tmp_path / "sales.csv").write_bytes(b"n\n1\n")
    monkeypatch.setenv("REPORT_OUTPUT_DIR", str(tmp_path))
    return Before(deliveries)


SAME = "id, status, channel, recipient, attempts, next_attempt_at, last_error, created_at, sent_at"


def test_rows_in_every_status_keep_ids_and_are_still_shown(before, database_url):
    before.every_status()
    columns = SAME.replace("channel, ", "")
    old = before.shown(columns)
    switch(database_url)
    assert before.shown(columns) == old
    assert before.run("select count(*) as n from ops.messages where unheard_at is null")


def test_what_waited_is_sent_with_its_id_and_what_was_sent_is_not(
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


def test_a_living_sender_of_the_version_before_ends_its_batch(
    before, deliveries, database_url, http_sink, sender_context
):
    for number in range(3):
        before.alert(f"k{number}")
    with http_sink.holding_answer(to=1) as held, old_sender(sender_context) as process:
        wait_until(held.is_set, timeout=90)
        switch(database_url)
        assert deliver_due("alerts")["sent"] == 0, "they are the old sender's"
        http_sink.release()
        process.join(timeout=60)
        assert process.exitcode is not None  # it fails afterwards, where it would notify owners
    assert Counter(http_sink.keys()) == Counter(f"k{n}" for n in range(3))
    assert deliveries.statuses() == ["sent"] * 3
    assert deliver_due("alerts")["sent"] == 0


def test_a_sender_of_the_version_before_that_is_killed_leaves_its_batch(
    before, deliveries, database_url, http_sink, sender_context
):
    for number in range(3):
        before.alert(f"k{number}")
    with http_sink.holding_answer(to=1) as held, old_sender(sender_context) as process:
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


def test_flows_of_the_version_before_go_on_enqueuing(before, deliveries, database_url, http_sink):
    switch(database_url)
    before.alert("k0")
    before.notice()
    assert deliver_due()["sent"] == 2
    before.notice(kind="recovered")
    assert old_monitoring.send_notices().sent == 1
    assert deliveries.statuses() == ["sent"] * 3
    assert [each.json.get("subject") for each in http_sink.requests[:2]] == [
        "Pipeline fell",
        "[failing] run-dbt/dbt: Failed",
    ]


def test_a_sender_of_the_version_before_that_starts_later_fails_and_sends_nothing(
    before, deliveries, database_url, http_sink
):
    """It can't notify owners through the views, which it does first; no message is lost by that."""
    switch(database_url)
    before.alert("k0")
    with pytest.raises(ProgrammingError, match="ON CONFLICT"):
        old_alerts.deliver_due()
    assert (http_sink.requests, deliveries.statuses()) == ([], ["pending"])
    assert deliver_due()["sent"] == 1


def _switch(url) -> None:
    switch(url)


@contextmanager
def migration(url):
    """Run the migration in a process of its own, to be killed."""
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
