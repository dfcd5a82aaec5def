"""Define the settings of alerts, delivery and reports."""

from typing import Literal

from pydantic import (
    AliasChoices,
    Field,
    PositiveFloat,
    PositiveInt,
)

from analytics_worker.settings.data import DataSettings
from analytics_worker.settings.types import (
    Folders,
    Limit,
    Names,
    Ports,
    ProjectPath,
    Secret,
    Text,
    in_state_dir,
    same_as,
)
from analytics_worker.timezones import UTC, Timezone


class MessageSettings(DataSettings):
    """Settings of alerts, delivery and reports."""

    # Alerts
    alert_webhook_url: Secret = Field(
        default=None, description="Default webhook channel of alerts."
    )
    alert_webhook_secret: Secret = Field(
        default=None,
        description="Key that signs the default webhook's messages (docs/decisions/webhook-safety.md).",
    )
    alert_slack_url: Secret = Field(
        default=None, description="Incoming webhook of Slack: the default slack channel."
    )
    alert_email_host: Text = Field(default=None, description="SMTP host of the default channel.")
    alert_email_port: PositiveInt = Field(default=587, description="SMTP port.")
    alert_email_user: Text = Field(default=None, description="SMTP user.")
    alert_email_password: Secret = Field(default=None, description="SMTP password.")
    alert_email_from: Text = Field(default=None, description="Sender of emails.")
    alert_email_to: Names = Field(
        default=[], description="Recipients of the default channel, comma separated."
    )
    alert_email_tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the SMTP connection is secured."
    )
    alert_email_timeout_seconds: PositiveFloat = Field(
        default=30.0,
        description="Timeout of the SMTP connection, and of each response.",
    )
    webhook_timeout_seconds: PositiveFloat = Field(
        default=10.0, description="Timeout of one webhook, from connecting to the response."
    )
    outbound_allowed_hosts: Names = Field(
        default=[],
        validation_alias=AliasChoices("outbound_allowed_hosts", "webhook_allowed_hosts"),
        description="Host names and address ranges (10.1.0.0/16) inside the network that channels, report storage and automations of the server may reach, comma separated. WEBHOOK_ALLOWED_HOSTS, its old name, is read if it is not set.",
    )
    email_allowed_ports: Ports = Field(
        default=[25, 465, 587, 2525],
        description="Ports that Email Channel blocks may connect to, comma separated; ALERT_EMAIL_PORT of ALERT_EMAIL_HOST is always allowed.",
    )
    alert_delivery_attempts: PositiveInt = Field(
        default=8, description="Deprecated: set DELIVERY_MAX_ATTEMPTS."
    )
    alert_delivery_max_hours: PositiveFloat = Field(
        default=24.0, description="Deprecated: set DELIVERY_MAX_AGE_HOURS."
    )
    alert_delivery_posters: PositiveInt = Field(
        default=1, description="Deprecated: set DELIVERY_CONCURRENCY."
    )
    alert_parallelism: PositiveInt = Field(
        default=2, description="Connections that evaluate alert rules at the same time."
    )
    alert_group_wait_seconds: float = Field(
        default=0.0,
        ge=0,
        le=3600,
        description="Seconds that a notification waits for those of other rules, to be sent with them as one message to each recipient; webhooks and incident services get each at once. Those of one run are one message in any case.",
    )
    alert_history_retention_days: PositiveInt = Field(
        default=30,
        description="Days that evaluations, events and sent notifications of alerts are kept.",
    )

    alert_timezone: Timezone = Field(
        default=UTC,
        description="Time zone of the times in messages of alerts, and of the times at which rules are due, for rules without timezone: an IANA name such as Europe/Berlin.",
    )

    # Delivery
    delivery_max_attempts: PositiveInt = Field(
        default_factory=same_as("alert_delivery_attempts"),
        description="Attempts after which a message that its receiver refuses fails permanently; the owner of its rule or report is notified.",
    )
    delivery_max_age_hours: PositiveFloat = Field(
        default_factory=same_as("alert_delivery_max_hours"),
        description="Hours that messages wait for a channel that is unavailable or not configured.",
    )
    delivery_concurrency: PositiveInt = Field(
        default_factory=same_as("alert_delivery_posters"),
        description="Messages that one webhook channel sends concurrently; as many may be sent twice if the sender is killed.",
    )
    delivery_rates: Names = Field(
        default=[],
        description="Limits of messages per channel, over all hosts, comma separated: slack=1/s, webhook=30/m.",
    )

    # Reports
    report_output_dir: ProjectPath = Field(
        default_factory=in_state_dir("reports"), description="Folder for report files."
    )
    report_concurrency: PositiveInt = Field(
        default=2, description="Number of reports that one flow run generates at a time."
    )
    report_retention_days: PositiveInt = Field(
        default=30, description="Days that reports are kept, except the last good one of each."
    )
    report_retention_count: PositiveInt = Field(
        default=100, description="Maximum number of reports of one name that are kept."
    )
    report_retention_mb: PositiveInt = Field(
        default=10_000, description="Maximum size of all report files in megabytes."
    )
    report_restatement_days: Limit = Field(
        default=35,
        description="Days for which what a report sent is compared with what its SQL returns now, if the data changed. off: never, and nothing is stored for it.",
        json_schema_extra={"expected": "a whole number of days, or off"},
    )
    report_restatement_seconds: PositiveFloat = Field(
        default=20.0,
        description="Seconds that one run of generate_due_reports spends on these comparisons, and that one of them may take.",
    )
    report_storage_block: Text = Field(
        default=None,
        description="Name of a Report Storage block (folder, S3) to use instead of REPORT_OUTPUT_DIR.",
    )
    report_storage_folders: Folders = Field(
        default=[],
        description="Folders that Report Storage blocks may use besides REPORT_OUTPUT_DIR, comma separated.",
    )
    report_storage_protocols: Names = Field(
        default=["s3"],
        description="Protocols of fsspec that Report Storage blocks may use, comma separated; folders are always allowed.",
    )
    report_link_base: Text = Field(
        default=None,
        description="Address of the report files for readers, such as https://files.example.com/reports; links in emails start with it. Empty: the path.",
    )
    report_allowed_domains: Names = Field(
        default=[],
        description="Email domains that reports may be sent to, comma separated; an owner that an API caller names must be in one, too. Empty: any.",
    )
    report_allowed_channels: Names = Field(
        default=[],
        description="Channels that reports may be sent to, comma separated. Empty: any, or none where REPORT_ALLOWED_DOMAINS is set.",
    )
    report_mail_max_mb: PositiveFloat = Field(
        default=10.0,
        description="Encoded size of an email above which its attachments become links.",
    )
