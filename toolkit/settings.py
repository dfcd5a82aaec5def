"""Every variable that the worker reads, and nothing else reads the environment.

Sources, first wins: the environment, ``.env`` in the project root, and ``stack.env`` in the state
directory, which ``make up`` writes so that every process of this checkout finds the running stack.
"""

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def project_root() -> Path:
    """Folder of the checkout (or installation) that this code runs from."""
    return Path(__file__).resolve().parents[1]


def _below_root(value: object) -> object:
    """Relative paths are relative to the project root, wherever the process was started."""
    return project_root() / str(value) if value else value


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _below_root_each(value: str | list[str]) -> object:
    parts = value.split(",") if isinstance(value, str) else value
    return [_below_root(part.strip()) for part in parts if part.strip()]


def _off_is_zero(value: object) -> object:
    return 0 if isinstance(value, str) and value.strip().lower() == "off" else value


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _in_state_dir(name: str) -> Callable[[dict[str, Any]], Path]:
    return lambda values: values["state_dir"] / name


ProjectPath = Annotated[Path, BeforeValidator(_below_root)]
OptionalPath = Annotated[
    Path | None, BeforeValidator(lambda value: _below_root(value) if value else None)
]
Port = Annotated[int, Field(ge=1, le=65535)]
Secret = SecretStr | None
Text = str | None
Folders = Annotated[list[Path], NoDecode, BeforeValidator(_below_root_each)]
Limit = Annotated[NonNegativeInt | None, BeforeValidator(_off_is_zero)]
Names = Annotated[list[str], NoDecode, BeforeValidator(_split)]
Ports = Annotated[list[Port], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """One attribute per variable: ``DATABASE_URL`` sets ``settings().database_url``."""

    # An empty variable is one that was not set: it must not hide what `make up` wrote.
    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    # This host; first, because other folders are in the state directory unless they are named
    state_dir: ProjectPath = Field(
        default=project_root() / ".state",
        description="Folder of what `make up` keeps: embedded database, Prefect home, breaker state, and, unless they are named, logs and reports.",
    )
    log_dir: ProjectPath = Field(
        default_factory=_in_state_dir("logs"), description="Folder of the log files."
    )

    # Databases
    database_url: Secret = Field(
        default=None,
        description="SQLAlchemy URL of the analytics database. Empty: `make up` runs its own PostgreSQL.",
    )
    reader_database_url: Secret = Field(
        default=None,
        description="URL of the role that can only SELECT, for SQL that users wrote. Empty: derived from DATABASE_URL.",
    )
    reader_database_urls: dict[str, SecretStr] = Field(
        default={},
        description='URLs of more roles that can only SELECT, by the name that a rule or report gives as `reader`, as JSON: {"finance": "postgresql://…"}.',
    )
    user_sql_max_mb: PositiveInt = Field(
        default=16,
        description="Megabytes that one query of a rule, or of a page, tile or chart of a report, may return.",
    )
    database_block: Text = Field(
        default=None,
        description="Name of a Prefect SqlAlchemyConnector block to use instead of DATABASE_URL.",
    )
    database_pool_size: PositiveInt = Field(
        default=4, description="Connections that one process keeps open at most."
    )
    connect_timeout_seconds: PositiveInt = Field(
        default=10, description="How long one attempt to connect may take."
    )
    statement_timeout_seconds: PositiveInt = Field(
        default=120, description="How long one statement may run, unless a flow sets its own limit."
    )
    lock_timeout_seconds: PositiveInt = Field(
        default=30, description="How long one statement may wait for a lock."
    )
    redis_url: Secret = Field(
        default=None,
        description="Redis for breaker state that several hosts share. Empty: a SQLite file on this host.",
    )

    # Analytics
    analytics_schemas: Names = Field(
        default=["raw", "staging", "analytics"],
        description="Schemas that the catalog covers and whose materialized views are refreshed, comma separated.",
    )
    catalog_stale_after_hours: PositiveFloat = Field(
        default=26.0, description="Age of a relation's data from which the catalog calls it stale."
    )
    refresh_parallelism: PositiveInt = Field(
        default=2, description="Materialized views refreshed at the same time."
    )
    refresh_statement_timeout_seconds: PositiveInt = Field(
        default=1800, description="How long the refresh of one materialized view may take."
    )
    refresh_max_age_hours: PositiveFloat = Field(
        default=24.0,
        description="Age from which a materialized view is refreshed even if nothing seems changed.",
    )
    refresh_log_retention_days: PositiveInt = Field(
        default=30, description="Days that rows of the refresh log and other histories are kept."
    )
    query_statistics_top: PositiveInt = Field(
        default=100, description="Statements kept in one snapshot of pg_stat_statements."
    )

    # dbt
    dbt_project_path: ProjectPath = Field(
        default=project_root() / "dbt_project", description="Folder of the dbt project."
    )
    dbt_profiles_dir: OptionalPath = Field(
        default=None, description="Folder of profiles.yml. Empty: the dbt project's folder."
    )

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
    alert_email_from: Text = Field(default=None, description="Sender of alert and report mails.")
    alert_email_to: Names = Field(
        default=[], description="Recipients of the default channel, comma separated."
    )
    alert_email_tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the SMTP connection is secured."
    )
    alert_email_timeout_seconds: PositiveFloat = Field(
        default=30.0,
        description="How long the SMTP server may take to connect, and for one answer.",
    )
    webhook_timeout_seconds: PositiveFloat = Field(
        default=10.0, description="How long one webhook may take from connecting to the answer."
    )
    outbound_allowed_hosts: Names = Field(
        default=[],
        validation_alias=AliasChoices("outbound_allowed_hosts", "webhook_allowed_hosts"),
        description="Host names and address ranges (10.1.0.0/16) inside the network that channels and report storage may reach, comma separated. WEBHOOK_ALLOWED_HOSTS, its old name, is read where it is not set.",
    )
    email_allowed_ports: Ports = Field(
        default=[25, 465, 587, 2525],
        description="Ports that Email Channel blocks may connect to, comma separated; ALERT_EMAIL_PORT of ALERT_EMAIL_HOST always.",
    )
    alert_delivery_attempts: PositiveInt = Field(
        default=8,
        description="How often one message is tried before the owner of its rule or report is told.",
    )
    alert_delivery_max_hours: PositiveFloat = Field(
        default=24.0,
        description="How long messages wait for a channel or mail server that is down.",
    )
    alert_delivery_posters: PositiveInt = Field(
        default=1,
        description="Messages that one channel sends at the same time; as many may be repeated if the sender is killed.",
    )
    alert_parallelism: PositiveInt = Field(
        default=2, description="Connections that evaluate alert rules at the same time."
    )
    alert_history_retention_days: PositiveInt = Field(
        default=30, description="Days that evaluations, events and sent notices of alerts are kept."
    )

    # Reports
    report_output_dir: ProjectPath = Field(
        default_factory=_in_state_dir("reports"), description="Folder for report files."
    )
    report_retention_days: PositiveInt = Field(
        default=30, description="Days that reports are kept, except the last good one of each."
    )
    report_retention_count: PositiveInt = Field(
        default=100, description="Reports of one name that are kept at most."
    )
    report_retention_mb: PositiveInt = Field(
        default=10_000, description="Megabytes of report files that are kept at most."
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
        description="Protocols of fsspec that Report Storage blocks may use, comma separated; folders always.",
    )
    report_link_base: Text = Field(
        default=None,
        description="Where people find the report files, such as https://files.example.com/reports; links in mails start with it. Empty: the path.",
    )
    report_allowed_domains: Names = Field(
        default=[],
        description="Mail domains that reports may be sent to, comma separated. Empty: any.",
    )
    report_mail_max_mb: PositiveFloat = Field(
        default=10.0,
        description="Size of a mail, as it is sent, above which its attachments become links.",
    )

    # Monitoring
    worker_metrics_retention_days: PositiveInt = Field(
        default=14, description="Days that the minutely samples of the worker are kept."
    )
    run_retention_days: PositiveInt = Field(
        default=30,
        description="Days that ended runs, their results and artifacts, rotated logs and task statistics are kept.",
    )
    health_check_timeout_seconds: PositiveFloat = Field(
        default=5.0, description="How long one check of the health check may take."
    )
    health_min_free_mb: PositiveInt = Field(
        default=500,
        description="Free space below which a disk that reports, logs or state are on is unhealthy.",
    )

    # Metrics
    prometheus_port: PositiveInt = Field(default=8000, description="Port of the metrics endpoint.")
    prometheus_host: str = Field(
        default="127.0.0.1",
        description="Address that the metrics endpoint listens on; 0.0.0.0 lets other hosts read it.",
    )
    prometheus_allowed_hosts: Names = Field(
        default=[],
        description="Host names by which the metrics may be asked for, comma separated, besides localhost and addresses. Empty: no other on loopback, any elsewhere.",
    )
    exporter_poll_seconds: PositiveFloat = Field(
        default=5.0, description="How often the metrics are brought up to date."
    )

    # The worker
    worker_preload: Names = Field(
        default=[],
        description="Modules that every run finds imported, comma separated: libraries, never flows. The worker adds those that it needs itself.",
    )
    worker_run_memory_limit_mb: Limit = Field(
        default=None,
        description="Memory that one run and its child processes may use; a run that uses more ends as Crashed. Empty: half of the host's or container's memory, at most 1536. off: no limit.",
    )
    worker_allow_job_overrides: bool = Field(
        default=False,
        description="Let whoever may call the Prefect API start other code: commands, environments, folders and pull steps of their choice (docs/decisions/job-overrides.md).",
    )
    worker_code_folders: Folders = Field(
        default=[],
        description="Folders besides flows/ of this project whose flows the worker runs, comma separated.",
    )
    worker_job_environment: Names = Field(
        default=[],
        description="Variables that job variables may set for a run besides the harmless ones (docs/decisions/job-overrides.md), comma separated.",
    )
    worker_drain_seconds: PositiveFloat = Field(
        default=30.0, description="How long runs in progress may go on when the worker is stopped."
    )
    worker_recycle_after_runs: PositiveInt = Field(
        default=1000,
        description="Runs after which the process that runs are forked from is renewed.",
    )

    # The Prefect server that `make up` starts
    server_login: Annotated[Literal["auto", "on", "off"], BeforeValidator(_lower)] = Field(
        default="auto",
        description="Whether the Prefect server that `make up` starts asks for a login: auto, on or off. auto: if other hosts can reach it, or other people have accounts on this one.",
    )
    server_allowed_hosts: Names = Field(
        default=[],
        description="Further names of that server, as host or host:port, comma separated: what a reverse proxy, or a worker on another host, calls it.",
    )

    # What the Celery worker used: recognised, and answered with what replaced it
    celery_broker_url: Secret = Field(
        default=None, description="Not used: Prefect's server queues the runs (PREFECT_API_URL)."
    )
    celery_result_backend: Secret = Field(
        default=None, description="Not used: results are Prefect states (submit(...).get())."
    )
    flower_port: Text = Field(
        default=None,
        description="Not used: the Prefect UI shows the runs (PREFECT_SERVER_API_PORT).",
    )

    @property
    def profiles_dir(self) -> Path:
        """Folder that holds profiles.yml."""
        return self.dbt_profiles_dir or self.dbt_project_path

    def replaced_variables(self) -> list[str]:
        """One line for each variable of the Celery worker that is set: what replaced it."""
        names = ("celery_broker_url", "celery_result_backend", "flower_port")
        fields = type(self).model_fields
        return [f"{n.upper()}: {fields[n].description}" for n in names if getattr(self, n)]


@lru_cache
def settings() -> Settings:
    """Read once, on first use: importing a flow must never need a configured environment."""
    own = project_root() / ".env"
    chosen = os.environ.get("STATE_DIR") or dotenv_values(own).get("STATE_DIR") or ".state"
    return Settings(_env_file=(f"{_below_root(chosen)}/stack.env", own))  # pyright: ignore[reportCallIssue]  # pydantic-settings takes it at run time
