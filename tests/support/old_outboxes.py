"""Insert rows into the three outboxes of the previous version, in every status."""

import json

from tests.support.deliveries import Deliveries

OLD_TABLES = ("alert_deliveries", "report_deliveries", "deployment_notices")
STATUSES = {
    "alert_deliveries": ["pending", "sending", "sent", "failed", "skipped"],
    "report_deliveries": ["pending", "sending", "sent", "failed"],
    "deployment_notices": ["pending", "sent", "failed"],
}


class Before:
    """The tables of the version before, with rows in them."""

    def __init__(self, deliveries: Deliveries) -> None:
        self.run = deliveries.run

    def alert(self, key: str, status: str = "pending") -> None:
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
            " status, lease_owner, lease_until) values (:event, 'webhook', 'webhook', :key,"
            """ '{"subject": "Pipeline fell", "text": "t", "json": {"rule": "pipeline"}}', :status,"""
            " case when :status = 'sending' then 'dead/1/abc' end, now() + interval '1 hour')",
            event=event["id"],
            key=key,
            status=status,
        )

    def report(
        self, key: str, status: str = "pending", role: str = "to", payload: str | None = None
    ) -> None:
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

    def notice(self, status: str = "pending", kind: str = "failing") -> str:
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

    def shown(self, columns: str = "*") -> dict[str, list[dict[str, object]]]:
        return {
            name: [
                dict(row)
                for row in self.run(f"select {columns} from ops.{name} order by created_at, id")
            ]
            for name in OLD_TABLES
        }
