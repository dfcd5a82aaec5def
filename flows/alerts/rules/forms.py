"""The forms of alerts that a person requests in the Prefect UI. Reads nothing, writes nothing.

`flows.alerts.rules.payloads` decides what is accepted; it accepts more: all keys of a rule, and older spellings.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, WithJsonSchema

from analytics_worker.prefect_support.parameter_forms import Form, optional, preset, required
from flows.alerts.rules.model import Operator, Severity

Number = Annotated[float, Field(title="One number")]
Range = Annotated[list[float], Field(title="Lower and upper bound", min_length=2, max_length=2)]
ChannelType = Literal["email", "webhook", "slack"]
STATUS_CHOICES = ("warning", "critical", "ok")
Status = Annotated[str, WithJsonSchema({"type": "string", "enum": list(STATUS_CHOICES)})]
"""The statuses of the form; the flow accepts more spellings."""


class ChannelForm(Form):
    """One channel of an alert."""

    model_config = ConfigDict(title="Channel")

    type: ChannelType = required("Type", "How recipients are notified.", "email")
    to: list[str] = optional(
        "Addresses", "Of email: who is notified. ALERT_EMAIL_TO if empty.", ["ops@example.com"]
    )
    block: str = optional(
        "Block",
        "Name of a Prefect block with the address of the channel. The channel of the settings if empty.",
        "ops-email",
    )


class _RequestForm(Form):
    """What both kinds of alerts have: an identity, and who is notified."""

    last = ("notification_channels", "repeat_every", "owner", "runbook")

    id: str = required(
        "Identity",
        "Stays the same: requests with the same identity are one alert, which is notified once.",
        "pipeline-emea",
    )
    notification_channels: list[ChannelForm] = optional(
        "Channels",
        "Who is notified. The default channels if empty. No URLs and passwords: parameters are visible to all users"
        " of Prefect.",
        [{"type": "email", "to": ["ops@example.com"]}],
    )
    repeat_every: str = optional(
        "Repeat",
        "After which time the same alert is notified again, such as 30m or 1d. 1h if empty.",
        "1h",
    )
    owner: str = optional(
        "Owner", "Who is notified if it can't be evaluated or delivered.", "data@example.com"
    )
    runbook: str = optional(
        "What to do", "A text or an address for the recipients.", "Call the sales lead."
    )


class AlertForm(_RequestForm):
    """An alert: a query, a condition and channels."""

    model_config = ConfigDict(title="Alert")

    name: str = optional(
        "Name", "What recipients read. The identity if empty.", "EMEA pipeline fell"
    )
    query: str = required(
        "Query",
        "One SELECT with a numeric column, such as: select sum(open_value) as value from analytics.pipeline_kpis",
        "select sum(open_value) as value from analytics.pipeline_kpis",
    )
    operator: Operator = required(
        "Condition", "The alert fires if the value is … than the bounds below.", "<"
    )
    threshold: Number | Range = optional(
        "Bound", "The bound of the condition; two for between and outside.", 1_000_000
    )
    warning: Number | Range = optional(
        "Bound of warnings", "In place of the one bound: from where it is a warning.", 10
    )
    critical: Number | Range = optional(
        "Bound of critical alerts", "In place of the one bound: from where it is critical.", 20
    )
    severity: Severity = optional(
        "Severity", "Of an alert with one bound. Critical if empty.", "warning"
    )


class ThresholdForm(_RequestForm):
    """A metric and the thresholds that it crossed."""

    model_config = ConfigDict(title="Threshold")

    metric_name: str = optional(
        "Metric", "What recipients read. The identity if empty.", "Monthly recurring revenue"
    )
    comparison_operator: Operator = preset(
        ">", "Condition", "The metric is bad if it is … than the thresholds below."
    )
    warning_threshold: Number | Range = optional("Warning threshold", "For the message.", 10)
    critical_threshold: Number | Range = optional("Critical threshold", "For the message.", 20)
    query: str = optional(
        "Query",
        "One SELECT with the value of the metric: with it, the worker notices when the alert is over. Without one,"
        " another request with the status ok ends it.",
        "select sum(mrr) as value from analytics.revenue_kpis",
    )
