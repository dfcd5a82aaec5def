"""Create messages as the three domains enqueue them, one of each kind."""

from datetime import UTC, datetime

from analytics_worker.delivery.message import Attachment, Content, Fact, Link, Tile

RUN = Link(label="Open the run", url="https://prefect.example.com/runs/flow-run/3f9c")
RUNBOOK = Link(label="Runbook", url="https://wiki.example.com/runbooks/coverage")
KEY = "rule:pipeline-coverage/EMEA"

FIRING = Content(
    subject="[CRITICAL] pipeline-coverage (EMEA): 3 of 12 teams below 0.5",
    text="The alert is firing\n\nRule:      pipeline-coverage (EMEA)\nCondition: coverage < 0.5\n",
    headline="pipeline-coverage (EMEA): 3 of 12 teams below 0.5",
    severity="critical",
    incident_action="trigger",
    incident_key=KEY,
    facts=(
        Fact(label="Condition", value="coverage < 0.5"),
        Fact(label="Worst value", value="0.31"),
        Fact(label="Since", value="2026-11-29 01:20:00 UTC"),
        Fact(label="Owner", value="ann.lee@example.com"),
        Fact(
            label="Description",
            value="Open pipeline of the quarter over what is left of its target.",
        ),
    ),
    items=("Team Madrid: 0.31 (critical, for 20m)", "Team Oslo: 0.42", "Team Zürich: 0.47"),
    links=(RUN, RUNBOOK),
    json={"kind": "firing", "rule": "pipeline-coverage", "value": 0.31},
)
STILL_FIRING = FIRING.model_copy(
    update={
        "subject": "[STILL CRITICAL] pipeline-coverage (EMEA): 2 of 12 teams below 0.5",
        "headline": "pipeline-coverage (EMEA): 2 of 12 teams below 0.5",
        "facts": (*FIRING.facts[:3], Fact(label="Duration", value="4h20m")),
    }
)
RESOLVED = Content(
    subject="[RESOLVED] pipeline-coverage (EMEA): resolved after 4h40m (worst 0.31)",
    text="Alert resolved\n\nRule:      pipeline-coverage (EMEA)\nWorst:     0.31\nDuration:  4h40m\n",
    headline="pipeline-coverage (EMEA): resolved after 4h40m (worst 0.31)",
    severity="critical",
    incident_action="resolve",
    incident_key=KEY,
    facts=(Fact(label="Worst value", value="0.31"), Fact(label="Duration", value="4h40m")),
    links=(RUN,),
)
NO_DATA = Content(
    subject="[NO DATA] pipeline-coverage (EMEA): no rows since 02:00",
    text="The alert was firing and has no data any more.",
    headline="pipeline-coverage (EMEA): no rows since 02:00",
    severity="warning",
    incident_action="trigger",
    incident_key=KEY,
    facts=(
        Fact(label="Last value", value="0.31"),
        Fact(label="Last row", value="2026-11-29 02:00 UTC"),
    ),
    links=(RUN, RUNBOOK),
)
REPORT = Content(
    subject="Weekly revenue, 16 – 22 November 2026",
    text="Weekly revenue\n\nRevenue: 1,204,300 € (+4.2 %)\nNew deals: 38 (-3)\nChurn: 1.2 % (+0.1)\n",
    html="<html><body><h1>Weekly revenue</h1><p>Revenue: <b>1,204,300 €</b></p></body></html>",
    headline="Weekly revenue, 16 – 22 November 2026",
    tiles=(
        Tile(label="Revenue", value="1,204,300 €", change="+4.2 %", direction="up"),
        Tile(label="New deals", value="38", change="-3", direction="down"),
        Tile(label="Churn", value="1.2 %", change="+0.1", direction="up"),
    ),
    links=(Link(label="Open the report", url="https://files.example.com/reports/weekly.html"),),
    attachments=(
        Attachment(
            storage="",
            name="weekly-2026-47.csv",
            attach_as="weekly revenue.csv",
            media_type="text/csv",
            url="https://files.example.com/reports/weekly.csv",
        ),
    ),
    to=("ann@example.com",),
    cc=("bob@example.com",),
    sent_as=datetime(2026, 11, 23, 6, 0, tzinfo=UTC),
)
FAILING = Content(
    subject="[FAILING] refresh-views: failed 3 times in a row",
    text='Deployment refresh-views is failing.\n\nLast error: relation "analytics.kpi" does not exist\n',
    headline="refresh-views: failed 3 times in a row",
    severity="critical",
    incident_action="trigger",
    incident_key="deployment:refresh-views",
    facts=(
        Fact(label="Last error", value='relation "analytics.kpi" does not exist\nLINE 1: select *'),
        Fact(label="Failing since", value="2026-11-29 01:00:00 UTC"),
    ),
    links=(RUN,),
)
RECOVERED = Content(
    subject="[RECOVERED] refresh-views: succeeded after 3 failures",
    text="Deployment refresh-views has recovered.",
    headline="refresh-views: succeeded after 3 failures",
    severity="ok",
    incident_action="resolve",
    incident_key="deployment:refresh-views",
    facts=(Fact(label="Down for", value="42m"),),
    links=(RUN,),
)
DIGEST = Content(
    subject="[DIGEST] 14 messages while the channel was paused",
    text="\n".join(f"{n}. [WARNING] rule-{n}: value below 10" for n in range(1, 15)),
    headline="14 messages while the channel was paused",
    severity="warning",
    items=tuple(f"[WARNING] rule-{n}: value below 10" for n in range(1, 15)),
    links=(Link(label="All alerts", url="https://prefect.example.com/artifacts"),),
)

MESSAGES: dict[str, Content] = {
    "firing": FIRING,
    "still firing": STILL_FIRING,
    "resolved": RESOLVED,
    "no data": NO_DATA,
    "report": REPORT,
    "failing": FAILING,
    "recovered": RECOVERED,
    "digest": DIGEST,
}
