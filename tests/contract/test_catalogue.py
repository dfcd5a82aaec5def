"""Promises that every flow keeps. A twenty-first flow is tested the moment it is listed."""

import importlib
import importlib.util
import sys

import pytest
import yaml

from analytics_worker.documentation.flows import tasks_of
from analytics_worker.prefect_support import heartbeat_settings
from analytics_worker.prefect_support.deployments import (
    CatalogueError,
    Entry,
    deployed_flows,
    pools,
    prefect_yaml,
    read,
)
from analytics_worker.prefect_support.retries import worth_retrying
from analytics_worker.settings import project_root

DOMAINS = {"analytics", "dbt", "alerts", "reports", "monitoring"}
LIMITS = {"analytics": 2, "dbt": 1, "alerts": 4, "reports": 2, "monitoring": 1}

# What the registry promises of its flows: how often at most each is tried again, seconds of the longest
# delay. A further flow chooses a policy of its own.
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


every_flow = pytest.mark.parametrize("entry", deployed_flows(), ids=str)


@every_flow
def test_is_named_after_its_function(entry: Entry):
    assert entry.flow.name == entry.deployment.flow_name


@every_flow
def test_can_be_imported_from_its_domain(entry: Entry):
    domain = importlib.import_module(f"flows.{entry.deployment.domain}")
    assert getattr(domain, entry.flow.fn.__name__) is entry.flow


@every_flow
def test_explains_itself_and_gives_up_eventually(entry: Entry):
    assert entry.flow.description, "the docstring is what operators read in the UI"
    assert entry.flow.timeout_seconds == TIMEOUTS.get(entry.flow.name, entry.flow.timeout_seconds)
    assert entry.flow.timeout_seconds


@every_flow
def test_runs_on_its_domains_pool(entry: Entry):
    assert entry.deployment.work_pool.name == entry.deployment.name == entry.deployment.domain


@every_flow
def test_its_runs_send_heartbeats_whichever_worker_starts_them(entry: Entry):
    environment = entry.deployment.work_pool.job_variables["env"]
    assert environment == {heartbeat_settings.VARIABLE: str(heartbeat_settings.BEAT_SECONDS)}


@every_flow
def test_parameters_in_yaml_fit_the_signature(entry: Entry):
    if entry.flow.parameters.required:
        return  # the event or the caller brings them
    for parameters in [
        entry.deployment.parameters,
        *(schedule.parameters for schedule in entry.deployment.schedules),
    ]:
        entry.flow.validate_parameters(parameters)


@every_flow
def test_its_tasks_are_tried_again_as_the_registry_says(entry: Entry):
    tasks = tasks_of(entry)
    most = max((int(task.retries or 0) for task in tasks), default=0)
    retries, cap_seconds = RETRIES.get(entry.flow.name, (most, None))
    assert {task.retries for task in tasks} <= {0, retries}
    assert any(task.retries == retries for task in tasks), "work that is tried again is in a task"
    for task in tasks:
        delays = task.retry_delay_seconds
        assert isinstance(delays, list) or not task.retries
        longest = max(delays, default=0) if isinstance(delays, list) else 0
        assert longest * (1 + (task.retry_jitter_factor or 0)) <= (cap_seconds or 300)
        assert task.retry_condition_fn is worth_retrying or not task.retries


def test_the_flows_of_the_registry_are_deployed():
    assert RETRIES.keys() <= {entry.flow.name for entry in deployed_flows()}


@every_flow
def test_refuses_overlapping_runs(entry: Entry):
    """Unless what it is about comes as a parameter: then none may be refused."""
    limit = entry.deployment.concurrency_limit
    if entry.flow.parameters.required:
        assert limit is None
        return
    assert limit is not None
    waits = any(schedule.parameters for schedule in entry.deployment.schedules[1:])
    assert (limit.limit, limit.collision_strategy) == (1, "ENQUEUE" if waits else "CANCEL_NEW")


@every_flow
def test_its_triggers_give_every_parameter_from_the_event(entry: Entry):
    for trigger in entry.deployment.triggers:
        assert set(trigger.parameters) == set(entry.flow.parameters.properties)
        assert all("{{ event.payload." in template for template in trigger.parameters.values())


@every_flow
def test_persists_its_result_as_json(entry: Entry):
    assert entry.flow.persist_result
    assert entry.flow.result_serializer == "json"


def test_the_pools_have_the_registry_s_limits():
    assert {pool.name: pool.concurrency_limit for pool in pools()} == LIMITS


def test_no_flow_is_left_undeployed():
    listed = {entry.deployment.entrypoint.rsplit(".", 1)[0] for entry in deployed_flows()}
    written = {
        ".".join(path.relative_to(project_root()).with_suffix("").parts)
        for path in (project_root() / "flows").glob("*/*.py")
        if not path.name.startswith("_") and path.name != "tasks.py"
    }
    assert listed == written


def test_no_two_schedules_start_in_the_same_minute_of_every_hour():
    minutes = [
        s.cron.split()[0]
        for e in deployed_flows()
        for s in e.deployment.schedules
        if s.cron.split()[1] == "*"
    ]
    assert len(set(minutes)) == len(minutes)
    assert not {"0", "*/5", "*/2"} & set(minutes)


def test_no_module_shadows_an_installed_package():
    """A module flows/reports/email.py would hide the standard library's when run as a script."""
    names = {path.stem for path in (project_root() / "flows").glob("*/*.py")} - {"__init__"}
    installed = {
        name
        for name in names
        if (spec := importlib.util.find_spec(name)) and spec.origin  # our docs/ has no origin
    }
    assert not installed | (names & sys.stdlib_module_names)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d["deployments"][0].update(shedules=[]), r"deployments\.0\.shedules: unknown key"),
        (lambda d: d["deployments"][0].update(work_pool={"name": "analytic"}), "'analytic'.*analytics, dbt"),
        (lambda d: d["deployments"][0]["schedules"][0].update(cron="61 * * * *"), r"schedules\.0\.cron"),
        (lambda d: d["deployments"][0]["schedules"][0].update(timezone="Mars"), "'Mars' is no IANA time zone"),
        (lambda d: d["deployments"][0].update(triggers=[{"expects": ["x"]}]), r"triggers\.0\.expects: unknown key"),
        (lambda d: d["deployments"].append(d["deployments"][0]), "deployed twice: refresh-catalog/analytics"),
    ],
)  # fmt: skip
def test_a_mistake_in_prefect_yaml_is_refused_by_name(tmp_path, change, complaint):
    document = yaml.safe_load(prefect_yaml().read_text())
    change(document)
    broken = tmp_path / "prefect.yaml"
    broken.write_text(yaml.safe_dump(document))
    with pytest.raises(CatalogueError, match=complaint):
        read(broken)
