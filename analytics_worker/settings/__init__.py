"""Every variable that the worker reads, and nothing else reads the environment.

Sources, first wins: the environment, ``.env`` in the project root, and ``stack.env`` in the state
directory, which ``make up`` writes so that every process of this checkout finds the running stack.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, ValidationError
from pydantic_settings import SettingsConfigDict, SettingsError

from analytics_worker.settings.messages import MessageSettings
from analytics_worker.settings.types import (
    REPLACED,
    Folders,
    Limit,
    Names,
    Secret,
    Text,
    below_root,
    on_or_off,
    project_root,
)
from analytics_worker.settings.validation_messages import InvalidSettingError, invalid_setting

__all__ = ["InvalidSettingError", "Settings", "project_root", "settings", "user_variables"]


class Settings(MessageSettings):
    """One attribute per variable: ``DATABASE_URL`` sets ``settings().database_url``."""

    # An empty variable is one that was not set: it must not hide what `make up` wrote.
    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    # Monitoring
    monitoring_channels: Names = Field(
        default=[],
        description="Channels that are notified of failing deployments, comma separated: email, webhook, slack or names of blocks. Empty: the default channels.",
    )
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
        json_schema_extra={"expected": "a whole number of megabytes, or off"},
    )
    worker_allow_job_overrides: bool = Field(
        default=False,
        description="Let whoever may call the Prefect API start other code: commands, environments, folders and pull steps of their choice (docs/decisions/job-overrides.md).",
    )
    worker_code_folders: Folders = Field(
        default=[],
        description="Folders besides `flows/` of this project whose flows the worker runs, comma separated.",
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
    server_login: Annotated[Literal["auto", "on", "off"], BeforeValidator(on_or_off)] = Field(
        default="auto",
        description="Whether the Prefect server that `make up` starts asks for a login: auto, on or off. auto: if other hosts can reach it, or other people have accounts on this one.",
    )
    server_allowed_hosts: Names = Field(
        default=[],
        description="Further names of that server, as host or host:port, comma separated: what a reverse proxy, or a worker on another host, calls it.",
    )

    # What the Celery worker used: recognized, and answered with what replaced it
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
        """One line for each variable that is set and has been replaced: by what."""
        fields = type(self).model_fields
        replaced = [n for n in fields if str(fields[n].description).startswith(REPLACED)]
        given = [n for n in replaced if n in self.model_fields_set and getattr(self, n)]
        return [f"{n.upper()}: {fields[n].description}" for n in given]


@lru_cache
def settings() -> Settings:
    """Read once, on first use: importing a flow must never need a configured environment.

    Raises:
        InvalidSettingError: a variable is not valid.
    """
    own = project_root() / ".env"
    chosen = os.environ.get("STATE_DIR") or dotenv_values(own).get("STATE_DIR") or ".state"
    try:
        return Settings(_env_file=(f"{below_root(chosen)}/stack.env", own))  # pyright: ignore[reportCallIssue]  # pydantic-settings takes it at run time
    except (ValidationError, SettingsError) as error:
        raise invalid_setting(error, Settings) from None  # pydantic repeats secrets


def user_variables() -> dict[str, str]:
    """What the user set: the environment, and below it Prefect's variables in ``.env``."""
    file = dotenv_values(project_root() / ".env")
    prefect = {k: v for k, v in file.items() if k.startswith("PREFECT_") and v is not None}
    return prefect | dict(os.environ)
