"""Generate .env.example from the settings model."""

from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from analytics_worker.settings import Settings, project_root

ENV_HEADER = """\
# Every variable that the worker reads. Copy to .env and uncomment what you need; the environment
# takes precedence over .env. The values are the defaults.
"""

SECTIONS = {
    "database_url": "Databases",
    "analytics_schemas": "Analytics",
    "dbt_project_path": "dbt",
    "alert_webhook_url": "Alerts",
    "delivery_max_attempts": "Delivery",
    "report_output_dir": "Reports",
    "worker_metrics_retention_days": "Monitoring",
    "state_dir": "This host",
    "worker_preload": "The worker",
    "server_login": "The Prefect server",
    "celery_broker_url": "From the Celery worker: recognized, not used",
}

PREFECT_VARIABLES = """
# --- Prefect (its own documentation has all of them) ---

# The Prefect API that flows and commands talk to. Empty: the server that `make up` of this folder started.
# PREFECT_API_URL=

# Port of the Prefect server and UI that `make up` starts.
# PREFECT_SERVER_API_PORT=4200

# Address that the Prefect server listens on; 0.0.0.0 lets other hosts reach it, with a login.
# PREFECT_SERVER_API_HOST=127.0.0.1

# Login of that server, as user:password. Empty: `make up` generates one if SERVER_LOGIN requires it.
# PREFECT_SERVER_API_AUTH_STRING=

# Login that flows and commands use; those of this folder find the login of a running `make up`.
# PREFECT_API_AUTH_STRING=
"""


def env_example() -> str:
    """Return the text of .env.example: each variable with its description and default."""
    lines = [ENV_HEADER]
    for name, field in Settings.model_fields.items():
        if name in SECTIONS:
            lines.append(f"# --- {SECTIONS[name]} ---\n")
        options = ", ".join(map(str, choices(field.annotation)))
        text = f"{field.description} One of {options}." if options else field.description
        lines.append(f"# {text}\n# {name.upper()}={default_text(field)}\n")
    return "\n".join(lines) + PREFECT_VARIABLES


def default_text(field: FieldInfo) -> str:
    """Return a setting's default as a variable would give it."""
    defaults: dict[str, Any] = {name: one.default for name, one in Settings.model_fields.items()}
    defaults["state_dir"] = project_root() / ".state"
    value: Any = field.get_default(call_default_factory=True, validated_data=defaults)
    match value:
        case None | SecretStr():
            return ""
        case list():
            return ",".join(str(part) for part in value)
        case Path():
            return str(value.relative_to(project_root()))
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def choices(annotation: Any) -> list[Any]:
    """Return the values that a setting of this type can have; empty if there are others."""
    return [o for part in parts(annotation) if get_origin(part) is Literal for o in get_args(part)]


def parts(annotation: Any) -> list[Any]:
    """Return the members of a union, or the annotation itself."""
    return (
        list(get_args(annotation)) if get_origin(annotation) in (Union, UnionType) else [annotation]
    )
