"""Documents that follow from the code: ``.env.example`` and ``docs/flows.md``.

``python -m analytics_worker.generate_docs`` writes both; a contract test keeps them equal.
"""

import importlib
import inspect
from pathlib import Path
from typing import Any

from prefect import Task
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from analytics_worker.prefect_support.deployments import Entry, deployed_flows, pools
from analytics_worker.settings import Settings, project_root

ENV_HEADER = """\
# Every variable that the worker reads. Copy to .env and uncomment what you need; the environment
# wins over .env. Values shown are the defaults.
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

# The Prefect API that flows and commands talk to.
# PREFECT_API_URL=http://127.0.0.1:4200/api

# Port of the Prefect server and UI that `make up` starts; change PREFECT_API_URL with it.
# PREFECT_SERVER_API_PORT=4200

# Address that the Prefect server listens on; 0.0.0.0 lets other hosts reach it, with a login.
# PREFECT_SERVER_API_HOST=127.0.0.1

# Login of that server, as user:password. Empty: `make up` makes one where SERVER_LOGIN asks for it.
# PREFECT_SERVER_API_AUTH_STRING=

# Login that flows and commands use; those of this folder know the one of a running `make up`.
# PREFECT_API_AUTH_STRING=
"""


def env_example() -> str:
    """Text of .env.example: each variable with its description and default."""
    lines = [ENV_HEADER]
    for name, field in Settings.model_fields.items():
        if name in SECTIONS:
            lines.append(f"# --- {SECTIONS[name]} ---\n")
        lines.append(f"# {field.description}\n# {name.upper()}={default_text(field)}\n")
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


def flows_page() -> str:
    """Text of docs/flows.md: one row per flow, one section with its parameters."""
    lines = [
        "# Flows",
        "",
        "Made from `prefect.yaml` and the code by `python -m analytics_worker.generate_docs`.",
        "",
        "| deployment | schedule | retries | timeout | what it does |",
        "|---|---|---|---|---|",
        *(_row(entry) for entry in deployed_flows()),
        "",
        "| pool | runs at the same time | for |",
        "|---|---|---|",
        *(f"| {p.name} | {p.concurrency_limit} | {p.description} |" for p in pools()),
        "",
    ]
    for entry in deployed_flows():
        lines += _section(entry)
    return "\n".join(lines).rstrip() + "\n"


def _row(entry: Entry) -> str:
    what = (entry.flow.description or "").split("\n")[0]
    return (
        f"| `{entry}` | {_schedules(entry)} | {_retries(entry)} |"
        f" {_duration(entry.flow.timeout_seconds)} | {what} |"
    )


def _schedules(entry: Entry) -> str:
    schedules = entry.deployment.schedules
    times = [f"{s.slug} (`{s.cron}` {s.timezone})" for s in schedules]
    events = [f"event `{name}`" for t in entry.deployment.triggers for name in t.expect]
    return "<br>".join([*times, *events]) or "manual"


def _retries(entry: Entry) -> str:
    tasks = tasks_of(entry)
    most = max(tasks, key=lambda task: task.retries, default=None)
    if most is None or not most.retries or not isinstance(most.retry_delay_seconds, list):
        return "none"
    longest = max(most.retry_delay_seconds) * (1 + (most.retry_jitter_factor or 0))
    return f"{most.retries}, at most {longest:.0f} s apart"


def tasks_of(entry: Entry) -> list[Task[..., Any]]:
    """The tasks that a flow's module defines or imports."""
    module = importlib.import_module(entry.deployment.entrypoint.rsplit(".", 1)[0])
    return [value for value in vars(module).values() if isinstance(value, Task)]


def _duration(seconds: float | None) -> str:
    if not seconds:
        return "none"
    if seconds % 3600 == 0:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 60:.0f} min" if seconds % 60 == 0 else f"{seconds:.0f} s"


def _section(entry: Entry) -> list[str]:
    call = f"{entry.flow.fn.__name__}{_signature(entry)}"
    return [f"## {entry}", "", f"`{call}`", "", inspect.cleandoc(entry.flow.description or ""), ""]


def _signature(entry: Entry) -> str:
    return str(inspect.signature(entry.flow.fn).replace(return_annotation=inspect.Signature.empty))


def main() -> None:
    """Write both documents."""
    (project_root() / ".env.example").write_text(env_example())
    (project_root() / "docs" / "flows.md").write_text(flows_page())


if __name__ == "__main__":
    main()
