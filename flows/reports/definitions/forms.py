"""The forms of reports that a person requests in the Prefect UI. Reads nothing, writes nothing.

`flows.reports.definitions.payloads` decides what is accepted; it accepts more: all keys of a report, and other spellings.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from analytics_worker.prefect_support.parameter_forms import Form, optional, preset, required

FormatName = Literal["csv", "xlsx", "html", "pdf", "json", "ndjson", "parquet"]
ScheduleName = Literal["manual", "daily", "weekly", "monthly"]
Addresses = Annotated[list[str], Field(title="Addresses")]


class RecipientsForm(Form):
    """Recipients by how they are addressed."""

    model_config = ConfigDict(title="To, cc, bcc and channels")

    to: list[str] = optional("To", "Addresses.", ["ann@example.com"])
    cc: list[str] = optional("Cc", "Addresses.", ["bob@example.com"])
    bcc: list[str] = optional(
        "Bcc", "Addresses that other recipients do not see.", ["audit@example.com"]
    )
    channels: list[str] = optional(
        "Channels", "email, webhook, slack, or names of Prefect blocks of channels.", ["slack"]
    )


class AdHocForm(Form):
    """One report: a query, a format and recipients."""

    model_config = ConfigDict(title="Report")

    name: str = required("Name", "Of the report, its files and its email.", "Open pipeline")
    query: str = required(
        "Query",
        "One SELECT, such as: select * from analytics.pipeline_kpis limit 100",
        "select * from analytics.pipeline_kpis limit 100",
    )
    format: (
        Annotated[FormatName, Field(title="One format")]
        | Annotated[list[FormatName], Field(title="Several formats")]
    ) = preset("csv", "Format", "Of the files. xlsx is an Excel workbook.")
    recipients: Addresses | RecipientsForm = optional(
        "Recipients", "Who gets it. Without any, the file is only stored.", ["ann@example.com"]
    )
    title: str = optional(
        "Title", "At the top of the page. The name if empty.", "Open pipeline by team"
    )
    description: str = optional("Description", "Below the title.", "All open opportunities.")
    parameters: dict[str, Any] = optional(
        "Parameters", "Values of the placeholders in the query, such as :team.", {}
    )
    owner: str = optional("Owner", "Who is notified if it fails.", "data@example.com")
    max_rows: int = optional(
        "Maximum number of rows", "Further rows are left out. All if empty.", 1000, ge=1
    )


class SingleReportForm(AdHocForm):
    """A report that belongs to a period, and is generated once for it."""

    id: str = optional(
        "Identity", "Stays the same for the same report. The name if empty.", "open-pipeline"
    )
    schedule_type: ScheduleName = preset(
        "manual",
        "Period",
        "Which last period it covers; it is generated once for each. manual: on each request, without a period.",
    )
