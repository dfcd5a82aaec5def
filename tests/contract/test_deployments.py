"""Contracts of every deployed flow. A new deployment in prefect.yaml is tested automatically."""

import importlib
import importlib.util
import re
import sys

import pytest
import yaml

from analytics_worker.deployment.event_triggers import OWN_PREFIX
from analytics_worker.documentation.flows import tasks_of
from analytics_worker.prefect_support import heartbeat_timeout
from analytics_worker.prefect_support.deployments import (
    DeployedFlow,
    PrefectYamlError,
    deployed_flows,
    pools,
    prefect_yaml,
    read,
)
from analytics_worker.prefect_support.retries import should_retry
from analytics_worker.server.documentation_pages import anchor
from analytics_worker.settings import project_root
from flows.monitoring.lost_requests.detection import RERUN_TAG

DOMAINS = {"analytics", "dbt", "alerts", "reports", "monitoring"}
LIMITS = {"analytics": 2, "dbt": 1, "alerts": 4, "reports": 2, "monitoring": 1}

# Of the registry's flows: maximum number of retries, longest delay in seconds (None: 300). Other flows choose theirs.
RETRIES = {
    "refresh-catalog": (3, 300),
    "refresh-materialized-views": (3, 600),
    "update-query-statistics": (2, None),
    "cleanup-old-refresh-logs": (0, None),
    "run-dbt-models": (2, 600),
    "run-dbt-tests": (2, None),
    "dbt-docs-generate": (1, None),
    "dbt-freshness-check": (1, None),
    "process-pending-alerts": (3, None),
    "check-threshold-conditions": (2, None),
    "trigger-alert": (2, None),
    "create-threshold-alert": (0, None),
    "generate-scheduled-reports": (2, 120),
    "generate-single-report": (2, None),
    "generate-ad-hoc-report": (0, None),
    "cleanup-old-reports": (1, None),
    "collect-worker-metrics": (0, None),
    "health-check": (0, None),
    "cleanup-expired-tasks": (0, None),
    "update-task-statistics": (0, None),
}
TIMEOUTS = {
    "run-dbt-models": 3600,
    "run-dbt-tests": 1800,
    "dbt-docs-generate": 600,
    "dbt-freshness-check": 300,
}


every_flow = pytest.mark.parametrize("deployed", deployed_flows(), ids=str)


@every_flow
def test_is_named_after_its_function(deployed: DeployedFlow):
    assert deployed.flow.name == deployed.deployment.flow_name


@every_flow
def test_can_be_imported_from_its_domain(deployed: DeployedFlow):
    domain = importlib.import_module(f"flows.{deployed.deployment.domain}")
    assert getattr(domain, deployed.flow.fn.__name__) is deployed.flow


@every_flow
def test_has_a_description_and_a_timeout(deployed: DeployedFlow):
    assert deployed.flow.description, "the UI shows the docstring"
    assert deployed.flow.timeout_seconds == TIMEOUTS.get(
        deployed.flow.name, deployed.flow.timeout_seconds
    )
    assert deployed.flow.timeout_seconds


@every_flow
def test_runs_on_its_domains_pool(deployed: DeployedFlow):
    assert (
        deployed.deployment.work_pool.name == deployed.deployment.name == deployed.deployment.domain
    )


@every_flow
def test_its_runs_send_heartbeats_whichever_worker_starts_them(deployed: DeployedFlow):
    environment = deployed.deployment.work_pool.job_variables["env"]
    assert environment == {
        heartbeat_timeout.HEARTBEAT_VARIABLE: str(heartbeat_timeout.HEARTBEAT_SECONDS)
    }


@every_flow
def test_parameters_in_yaml_fit_the_signature(deployed: DeployedFlow):
    if deployed.flow.parameters.required:
        return  # the event or the caller provides them
    for parameters in [
        deployed.deployment.parameters,
        *(schedule.parameters for schedule in deployed.deployment.schedules),
    ]:
        deployed.flow.validate_parameters(parameters)


@every_flow
def test_its_tasks_have_the_documented_retries(deployed: DeployedFlow):
    tasks = tasks_of(deployed)
    most = max((int(task.retries or 0) for task in tasks), default=0)
    retries, cap_seconds = RETRIES.get(deployed.flow.name, (most, None))
    assert {task.retries for task in tasks} <= {0, retries}
    assert any(task.retries == retries for task in tasks), "work that is tried again is in a task"
    for task in tasks:
        delays = task.retry_delay_seconds
        assert isinstance(delays, list) or not task.retries
        longest = max(delays, default=0) if isinstance(delays, list) else 0
        assert longest * (1 + (task.retry_jitter_factor or 0)) <= (cap_seconds or 300)
        assert task.retry_condition_fn is should_retry or not task.retries


def test_the_flows_of_the_registry_are_deployed():
    assert RETRIES.keys() <= {deployed.flow.name for deployed in deployed_flows()}


@every_flow
def test_refuses_overlapping_runs(deployed: DeployedFlow):
    """Except flows with required parameters: each of their runs is different."""
    limit = deployed.deployment.concurrency_limit
    if deployed.flow.parameters.required:
        assert limit is None
        return
    assert limit is not None
    waits = any(schedule.parameters for schedule in deployed.deployment.schedules[1:])
    assert (limit.limit, limit.collision_strategy) == (1, "ENQUEUE" if waits else "CANCEL_NEW")


@every_flow
def test_its_triggers_set_every_parameter_from_the_event(deployed: DeployedFlow):
    for trigger in deployed.deployment.triggers:
        assert set(trigger.parameters) == set(deployed.flow.parameters.properties)
        assert all("{{ event.payload." in template for template in trigger.parameters.values())


@every_flow
def test_persists_its_result_as_json(deployed: DeployedFlow):
    assert deployed.flow.persist_result
    assert deployed.flow.result_serializer == "json"


@every_flow
def test_requests_of_events_run_again_if_they_are_lost(deployed: DeployedFlow):
    """Their parameters are stored nowhere else; flows without required parameters run again by their schedule."""
    has_tag = RERUN_TAG in deployed.deployment.tags
    assert has_tag or not deployed.deployment.triggers
    assert deployed.flow.parameters.required or not has_tag


def test_the_work_pools_have_the_documented_limits():
    assert {pool.name: pool.concurrency_limit for pool in pools()} == LIMITS


def test_every_flow_module_is_deployed():
    deployed_modules = {
        deployed.deployment.entrypoint.rsplit(".", 1)[0] for deployed in deployed_flows()
    }
    flow_modules = {
        ".".join(path.relative_to(project_root()).with_suffix("").parts)
        for path in (project_root() / "flows").glob("*/*.py")
        if not path.name.startswith("_") and path.name != "tasks.py"
    }
    assert deployed_modules == flow_modules


def test_no_two_schedules_start_in_the_same_minute_of_every_hour():
    minutes = [
        s.cron.split()[0]
        for e in deployed_flows()
        for s in e.deployment.schedules
        if s.cron and s.cron.split()[1] == "*"
    ]
    assert len(set(minutes)) == len(minutes)
    assert not {"0", "*/5", "*/2", "*"} & set(minutes)


def test_what_starts_every_minute_starts_when_nothing_else_does():
    (each_minute,) = [s for e in deployed_flows() for s in e.deployment.schedules if s.interval]
    assert each_minute.interval == 60
    assert each_minute.anchor_date
    assert each_minute.anchor_date.second == 30


def test_no_module_shadows_an_installed_package():
    """A module flows/reports/email.py would shadow that of the standard library when run as a script."""
    names = {path.stem for path in (project_root() / "flows").glob("*/*.py")} - {"__init__"}
    installed = {
        name
        for name in names
        if (spec := importlib.util.find_spec(name)) and spec.origin  # our docs/ has no origin
    }
    assert not installed | (names & sys.stdlib_module_names)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["deployments"][0].update(shedules=[]), r"deployments\.0\.shedules: unknown key"),
        (lambda d: d["deployments"][0].update(work_pool={"name": "analytic"}), "'analytic'.*analytics, dbt"),
        (lambda d: d["deployments"][0]["schedules"][0].update(cron="61 * * * *"), r"schedules\.0\.cron"),
        (lambda d: d["deployments"][0]["schedules"][0].update(interval=60), "expected either cron or interval"),
        (lambda d: d["deployments"][0]["schedules"][0].update(cron=None, interval=60), "interval and anchor_date belong together"),
        (lambda d: d["deployments"][0]["schedules"][0].update(timezone="Mars"), "'Mars' is not a valid time zone"),
        (lambda d: d["deployments"][0].update(triggers=[{"expects": ["x"]}]), r"triggers\.0\.expects: unknown key"),
        (lambda d: d["deployments"].append(d["deployments"][0]), "duplicate deployments: refresh-catalog/analytics"),
    ],
)  # fmt: skip
def test_an_invalid_prefect_yaml_is_refused_with_the_name_of_the_key(tmp_path, change, message):
    document = yaml.safe_load(prefect_yaml().read_text())
    change(document)
    invalid = tmp_path / "prefect.yaml"
    invalid.write_text(yaml.safe_dump(document))
    with pytest.raises(PrefectYamlError, match=message):
        read(invalid)


@every_flow
def test_its_description_says_what_a_failure_means_and_leads_to_the_runbook(deployed: DeployedFlow):
    description = deployed.deployment.description
    assert ". If it fails, " in description
    (link,) = re.findall(r"\[what to do\]\(/documentation/runbook\.md#([a-z-]+)\)\.$", description)
    runbook = (project_root() / "docs" / "runbook.md").read_text()
    assert link in map(anchor, re.findall(r"^#+ (.+)$", runbook, re.MULTILINE))


@every_flow
def test_it_is_either_routine_or_of_the_pipeline(deployed: DeployedFlow):
    tags = set(deployed.deployment.tags)
    assert deployed.deployment.domain in tags
    assert len(tags & {"pipeline", "routine"}) == 1
    often = [s for s in deployed.deployment.schedules if s.interval or "/" in (s.cron or "")]
    assert not often or "routine" in tags


def test_triggers_are_recognized_by_their_names():
    names = [trigger.name for e in deployed_flows() for trigger in e.deployment.triggers]
    assert len(set(names)) == len(names) > 0
    assert all(name.startswith(OWN_PREFIX) for name in names)
