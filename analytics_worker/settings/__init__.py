"""Define the settings of the worker; no other module reads the environment.

Sources in order of precedence: the environment, ``.env`` in the project root, and ``stack.env`` in the state
folder, which ``make up`` writes so that every process of this checkout finds the running stack.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)
from typing_extensions import override

from analytics_worker.settings.env_file import (
    EnvFileError,
    EnvFileSource,
    env_values,
    unreadable,
)
from analytics_worker.settings.messages import MessageSettings
from analytics_worker.settings.types import (
    REPLACED_PREFIXES,
    Folders,
    Limit,
    Names,
    Secret,
    Text,
    below_root,
    on_or_off,
    project_root,
)
from analytics_worker.settings.unknown_variables import unknown_variables
from analytics_worker.settings.validation_messages import InvalidSettingError, invalid_setting

__all__ = [
    "EnvFileError",
    "InvalidSettingError",
    "Settings",
    "otel_variables",
    "project_root",
    "settings",
    "unread_variables",
    "user_variables",
]
OLD_NAMES = ("webhook_allowed_hosts",)


class Settings(MessageSettings):
    """One attribute per variable: ``DATABASE_URL`` sets ``settings().database_url``."""

    # An empty variable counts as not set: it must not override what `make up` wrote.
    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the files as every other reader of ``.env`` does."""
        files = EnvFileSource(settings_cls, getattr(dotenv_settings, "env_file", None))
        return init_settings, env_settings, files

    # Monitoring
    monitoring_channels: Names = Field(
        default=[],
        description="Channels that are notified of failing deployments, comma separated: email, webhook, slack or names of blocks. Empty: the default channels.",
    )
    incident_calm_minutes: Limit = Field(
        default=30,
        description="Minutes after its end in which an incident that fails again goes on. It is flapping then: its ends and openings are not notified until it has worked, or failed, for that long. off: each failure is an incident of its own.",
        json_schema_extra={"expected": "a whole number of minutes, or off"},
    )
    incident_address_channels: Names = Field(
        default=[],
        description="Channels whose messages about incidents name the addresses of those who receive the affected reports, comma separated, such as webhook. Without them, only the email or chat of the owner does; all others get their number.",
    )
    worker_metrics_retention_days: PositiveInt = Field(
        default=14, description="Days that the minutely samples of the worker are kept."
    )
    run_retention_days: PositiveInt = Field(
        default=30,
        description="Days that ended runs, their results and artifacts, rotated logs and task statistics are kept.",
    )
    request_max_reruns: NonNegativeInt = Field(
        default=5,
        description="How often a requested alert or report runs again if its run is lost: its host, or the database, was unavailable (docs/decisions/lost-requests.md). Then it is given up, and MONITORING_CHANNELS are notified.",
    )
    request_rerun_max_hours: Annotated[float, Field(gt=0, le=168)] = Field(
        default=24.0,
        description="Age from which a requested alert or report whose run was lost is given up.",
    )
    health_check_timeout_seconds: PositiveFloat = Field(
        default=5.0, description="How long one check of the health check may take."
    )
    health_min_free_mb: PositiveInt = Field(
        default=500,
        description="Free space below which the disk of reports, logs or state is unhealthy.",
    )

    # Metrics
    prometheus_port: PositiveInt = Field(default=8000, description="Port of the metrics endpoint.")
    prometheus_host: str = Field(
        default="127.0.0.1",
        description="Address that the metrics endpoint listens on; 0.0.0.0 lets other hosts read it.",
    )
    prometheus_allowed_hosts: Names = Field(
        default=[],
        description="Host names that requests for metrics may use, comma separated, besides localhost and addresses. Empty: no other on loopback, any elsewhere.",
    )
    exporter_poll_seconds: PositiveFloat = Field(
        default=5.0,
        description="Interval in which the metrics are updated; six times as long for those of the Prefect API while no run is due or active and no event arrives.",
    )

    # The worker
    worker_preload: Names = Field(
        default=[],
        description="Modules that are imported before runs are forked, comma separated: libraries, never flows. The worker adds those that it needs.",
    )
    worker_run_memory_limit_mb: Limit = Field(
        default=None,
        description="Memory that one run and its child processes may use; a run that uses more ends as Crashed. Empty: half of the host's or container's memory, at most 1536. off: no limit.",
        json_schema_extra={"expected": "a whole number of megabytes, or off"},
    )
    worker_run_lease_seconds: Annotated[float, Field(ge=1, le=60)] = Field(
        default=60.0,
        description="How long a run may write without a confirmation of the Prefect server that the run is still its own (docs/decisions/fencing.md). Renewed after half of it.",
    )
    worker_allow_job_overrides: bool = Field(
        default=False,
        description="Allow callers of the Prefect API to run other code: commands, environments, folders and pull steps of their choice (docs/decisions/job-overrides.md).",
    )
    worker_code_folders: Folders = Field(
        default=[],
        description="Folders besides `flows/` of this project whose flows the worker runs, comma separated.",
    )
    worker_strict_version: bool = Field(
        default=False,
        description="Refuse runs whose deployment was made from another version of this project's code than the worker has.",
    )
    worker_job_environment: Names = Field(
        default=[],
        description="Environment variables that job variables may set for a run besides the safe ones (docs/decisions/job-overrides.md), comma separated.",
    )
    worker_drain_seconds: PositiveFloat = Field(
        default=30.0, description="How long active runs may continue when the worker is stopped."
    )
    worker_recycle_after_runs: PositiveInt = Field(
        default=1000,
        description="Runs after which the fork server is restarted.",
    )

    # The Prefect server that `make up` starts
    server_login: Annotated[Literal["auto", "on", "off"], BeforeValidator(on_or_off)] = Field(
        default="auto",
        description="Whether the Prefect server that `make up` starts requires a login: auto, on or off. auto: if other hosts can reach it, or this host has other accounts.",
    )
    server_allowed_hosts: Names = Field(
        default=[],
        description="More names of that server, as host or host:port, comma separated: those that a reverse proxy or a worker on another host uses.",
    )

    # Variables of the Celery worker: recognized, with their replacements
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
        """Return the folder of profiles.yml."""
        return self.dbt_profiles_dir or self.dbt_project_path

    def replaced_variables(self) -> list[str]:
        """Return one line for each replaced variable that is set, with its replacement."""
        fields = type(self).model_fields
        replaced = [n for n in fields if str(fields[n].description).startswith(REPLACED_PREFIXES)]
        set_names = [n for n in replaced if n in self.model_fields_set and getattr(self, n)]
        return [f"{n.upper()}: {fields[n].description}" for n in set_names]


@lru_cache
def settings() -> Settings:
    """Return the settings, read on first use: importing a flow needs no configured environment.

    Raises:
        InvalidSettingError: a variable is not valid, or ``.env`` is not.
    """
    env_file = project_root() / ".env"
    in_file = env_values(env_file)
    state_dir = os.environ.get("STATE_DIR") or in_file.get("STATE_DIR") or ".state"
    files = (f"{below_root(state_dir)}/stack.env", env_file)
    try:
        return Settings(_env_file=files)  # pyright: ignore[reportCallIssue]  # pydantic-settings takes it at run time
    except (ValidationError, SettingsError) as error:
        raise invalid_setting(error, Settings) from None  # pydantic repeats secrets
    except OSError as error:  # stack.env: .env has been read
        raise unreadable(Path(files[0]), error) from None


def user_variables() -> dict[str, str]:
    """Return the variables that the user set: the environment, then Prefect's variables in ``.env``."""
    file = env_values(project_root() / ".env")
    prefect = {name: value for name, value in file.items() if name.startswith("PREFECT_")}
    return prefect | dict(os.environ)


def otel_variables() -> dict[str, str]:
    """Return the variables of OpenTelemetry: the environment wins over ``.env``."""
    known = {**env_values(project_root() / ".env"), **os.environ}
    return {name: value for name, value in known.items() if name.startswith("OTEL_") and value}


def unread_variables() -> list[str]:
    """Return a line for each variable in ``.env`` that looks like a setting and is none."""
    names = env_values(project_root() / ".env")
    return list(unknown_variables(names, [*Settings.model_fields, *OLD_NAMES]))
