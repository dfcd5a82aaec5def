"""Generate docs/flows.md from prefect.yaml and the flows."""

import importlib
import inspect
from typing import Any

from prefect import Task

from analytics_worker.prefect_support.deployments import DeployedFlow, deployed_flows, pools


def flows_page() -> str:
    """Return the text of docs/flows.md: one row per flow, one section with its parameters."""
    lines = [
        "# Flows",
        "",
        "Made from `prefect.yaml` and the code by `python -m analytics_worker.documentation`.",
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


def _row(entry: DeployedFlow) -> str:
    what = (entry.flow.description or "").split("\n")[0]
    return (
        f"| `{entry}` | {_schedules(entry)} | {_retries(entry)} |"
        f" {_duration(entry.flow.timeout_seconds)} | {what} |"
    )


def _schedules(entry: DeployedFlow) -> str:
    schedules = entry.deployment.schedules
    times = [f"{s.slug} (`{s.cron}` {s.timezone})" for s in schedules]
    events = [f"event `{name}`" for t in entry.deployment.triggers for name in t.expect]
    return "<br>".join([*times, *events]) or "manual"


def _retries(entry: DeployedFlow) -> str:
    tasks = tasks_of(entry)
    most = max(tasks, key=lambda task: task.retries, default=None)
    if most is None or not most.retries or not isinstance(most.retry_delay_seconds, list):
        return "none"
    longest = max(most.retry_delay_seconds) * (1 + (most.retry_jitter_factor or 0))
    return f"{most.retries}, at most {longest:.0f} s apart"


def tasks_of(entry: DeployedFlow) -> list[Task[..., Any]]:
    """The tasks that a flow's module defines or imports."""
    module = importlib.import_module(entry.deployment.entrypoint.rsplit(".", 1)[0])
    return [value for value in vars(module).values() if isinstance(value, Task)]


def _duration(seconds: float | None) -> str:
    if not seconds:
        return "none"
    if seconds % 3600 == 0:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 60:.0f} min" if seconds % 60 == 0 else f"{seconds:.0f} s"


def _section(entry: DeployedFlow) -> list[str]:
    call = f"{entry.flow.fn.__name__}{_signature(entry)}"
    return [f"## {entry}", "", f"`{call}`", "", inspect.cleandoc(entry.flow.description or ""), ""]


def _signature(entry: DeployedFlow) -> str:
    return str(inspect.signature(entry.flow.fn).replace(return_annotation=inspect.Signature.empty))
