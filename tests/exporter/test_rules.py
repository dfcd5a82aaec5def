"""Rules, dashboards, runbook and documentation speak of metrics that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from analytics_worker.documentation.metrics import metrics_page
from analytics_worker.exporter.app import families
from analytics_worker.settings import project_root
from tests.support.promtool import promtool

OPS = project_root() / "ops"
PROMETHEUS = OPS / "prometheus"
DASHBOARDS = sorted((OPS / "grafana" / "dashboards").glob("*.json"))
EXPECTED = """
flow_runs_total flow_run_duration_seconds flow_run_queue_wait_seconds flow_run_retries_total
task_runs_total task_run_duration_seconds task_run_retries_total flow_runs
queue_oldest_waiting_seconds flow_run_oldest_running_seconds
deployment_last_success_timestamp_seconds deployment_unresolved_failures work_pool_slots
workers_online circuit_breaker_state circuit_breaker_trips_total circuit_breaker_rejections_total
db_connect_duration_seconds db_query_duration_seconds db_errors_total
external_request_duration_seconds alert_states alert_states_unnotified alert_deliveries_total
deliveries_total deliveries_waiting deliveries_oldest_waiting_seconds messages_unheard_total
delivery_channel_paused delivery_channel_not_configured report_rows_total
report_bytes_total materialized_view_age_seconds materialized_view_refresh_duration_seconds
dbt_nodes_total dbt_slowest_node_seconds dbt_slowing_node_ratio exporter_up
exporter_poll_duration_seconds exporter_poll_errors_total build_info
"""

SELECTOR = re.compile(r"\b((?:\w+:)?analytics_\w+(?::\w+)?)\s*(?:\{([^}]*)\})?")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPING = re.compile(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)")


def rules() -> list[dict[str, Any]]:
    files = [
        yaml.safe_load((PROMETHEUS / name).read_text()) for name in ("rules.yml", "alerts.yml")
    ]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def dashboard_queries(path: Path) -> Iterator[str]:
    """Every query of a dashboard, those of its variables included."""
    dashboard = json.loads(path.read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in dashboard["templating"]["list"]:
        yield str(variable.get("definition", ""))


def queries() -> list[tuple[str, str]]:
    of_rules = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()]
    of_panels = [(path.stem, query) for path in DASHBOARDS for query in dashboard_queries(path)]
    return [*of_rules, *of_panels]


def known() -> dict[str, set[str]]:
    """Labels of every series that a query may name."""
    found = {
        series: {*family.labels, *(("le",) if series.endswith("_bucket") else ())}
        for family in families()
        for series in family.series()
    }
    for rule in rules():
        if "record" in rule:
            by = [name for part in GROUPING.findall(rule["expr"]) for name in part.split(",")]
            used = [found.get(name, set()) for name, _ in SELECTOR.findall(rule["expr"])]
            found[rule["record"]] = {name.strip() for name in by} | set().union(*used)
    return found


@pytest.mark.parametrize(("where", "query"), queries(), ids=lambda text: text[:60])
def test_metrics_and_labels_of_a_query_exist(where, query):
    series = known()
    selected = SELECTOR.findall(query)
    for name, matchers in selected:
        assert name in series, f"{where}: there is no {name}"
        unknown = set(MATCHER.findall(matchers)) - series[name]
        assert not unknown, f"{where}: {name} has no label {unknown}"
    anywhere = set().union(*(series[name] for name, _ in selected))
    for part in GROUPING.findall(query):
        assert {name.strip() for name in part.split(",")} <= anywhere, where


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_it_is_what_it_is_and_what_to_do(alert):
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert alert["annotations"]["summary"]
    page, anchor = alert["annotations"]["runbook"].split("#")
    assert anchor == alert["alert"].lower()
    headings = re.findall(r"^### (\w+)$", (project_root() / page).read_text(), re.MULTILINE)
    assert alert["alert"] in headings


def test_every_alert_has_a_unit_test():
    tests = "".join(path.read_text() for path in (PROMETHEUS / "tests").glob("*.yml"))
    patterns = re.findall(r'alertname=~?"([^"]+)"', tests)
    untested = [
        alert["alert"]
        for alert in alerts()
        if not any(re.fullmatch(pattern, alert["alert"]) for pattern in patterns)
    ]
    assert untested == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_has_unique_panels_that_do_not_overlap(path):
    panels = json.loads(path.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_every_family_is_shown_in_a_dashboard():
    shown = {
        name
        for path in DASHBOARDS
        for q in dashboard_queries(path)
        for name, _ in SELECTOR.findall(q)
    }
    recorded = {
        name
        for rule in rules()
        if rule.get("record") in shown
        for name, _ in SELECTOR.findall(rule["expr"])
    }
    named = shown | recorded
    secondary = {"analytics_build_info"} | {
        f"analytics_exporter_collector_{part}"
        for part in ("success", "duration_seconds", "last_success_timestamp_seconds")
    }
    missing = [f.full_name for f in families() if not named & set(f.series())]
    assert set(missing) <= secondary


def test_the_families_that_were_promised():
    names = {family.name for family in families()}
    assert set(EXPECTED.split()) <= names


def test_no_label_names_a_run_a_host_or_a_process():
    labels = {label for family in families() for label in family.labels}
    assert not [label for label in labels if re.search(r"run|host|pid|id$|instance|worker", label)]


def test_the_documentation_lists_them():
    page = (project_root() / "docs" / "metrics.md").read_text()
    assert page == metrics_page(), "run `python -m analytics_worker.documentation`"


def test_promtool_finds_nothing_wrong_with_the_configuration():
    promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))


@pytest.mark.parametrize(
    "path", sorted((PROMETHEUS / "tests").glob("*.yml")), ids=lambda path: path.stem
)
def test_the_unit_tests_of_the_rules(path):
    promtool("test", "rules", str(path))
