"""Generate docs/flows.md from prefect.yaml and the flows."""

import importlib
import inspect
from typing import Annotated, Any, get_args, get_origin

from prefect import Task

from analytics_worker.prefect_support.deployments import DeployedFlow, deployed_flows, pools


def flows_page() -> str:
    """Return the text of docs/flows.md: one row per flow, one section with its parameters."""
    lines = [
        "# Flows",
        "",
        "Generated from `prefect.yaml` and the code by `python -m analytics_worker.documentation`.",
        "",
        "| deployment | schedule | retries | timeout | what it does |",
        "|---|---|---|---|---|",
        *(_row(deployed_flow) for deployed_flow in deployed_flows()),
        "",
        "| work pool | concurrent runs | purpose |",
        "|---|---|---|",
        *(f"| {p.name} | {p.concurrency_limit} | {p.description} |" for p in pools()),
        "",
    ]
    for deployed_flow in deployed_flows():
        lines += _section(deployed_flow)
    return "\n".join(lines).rstrip() + "\n"


def _row(deployed_flow: DeployedFlow) -> str:
    summary = (deployed_flow.flow.description or "").split("\n")[0]
    return (
        f"| `{deployed_flow}` | {_schedules(deployed_flow)} | {_retries(deployed_flow)} |"
        f" {_duration(deployed_flow.flow.timeout_seconds)} | {summary} |"
    )


def _schedules(deployed_flow: DeployedFlow) -> str:
    schedules = deployed_flow.deployment.schedules
    times = [f"{s.slug} ({s})" for s in schedules]
    events = [f"event `{name}`" for t in deployed_flow.deployment.triggers for name in t.expect]
    return "<br>".join([*times, *events]) or "manual"


def _retries(deployed_flow: DeployedFlow) -> str:
    tasks = tasks_of(deployed_flow)
    task = max(tasks, key=lambda each: each.retries, default=None)
    if task is None or not task.retries or not isinstance(task.retry_delay_seconds, list):
        return "none"
    longest = max(task.retry_delay_seconds) * (1 + (task.retry_jitter_factor or 0))
    return f"{task.retries}, at most {longest:.0f} s apart"


def tasks_of(deployed_flow: DeployedFlow) -> list[Task[..., Any]]:
    """Return the tasks that a flow's module defines or imports."""
    module = importlib.import_module(deployed_flow.deployment.entrypoint.rsplit(".", 1)[0])
    return [value for value in vars(module).values() if isinstance(value, Task)]


def _duration(seconds: float | None) -> str:
    if not seconds:
        return "none"
    if seconds % 3600 == 0:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 60:.0f} min" if seconds % 60 == 0 else f"{seconds:.0f} s"


def _section(deployed_flow: DeployedFlow) -> list[str]:
    call = f"{deployed_flow.flow.fn.__name__}{_signature(deployed_flow)}"
    return [
        f"## {deployed_flow}",
        "",
        f"`{call}`",
        "",
        inspect.cleandoc(deployed_flow.flow.description or ""),
        "",
    ]


def _signature(deployed_flow: DeployedFlow) -> str:
    """Return the signature as callers see it: types without the descriptions of their forms."""
    signature = inspect.signature(deployed_flow.flow.fn)
    parameters = [
        each.replace(annotation=_plain(each.annotation)) for each in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
