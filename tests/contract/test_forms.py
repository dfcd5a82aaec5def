"""Forms of the Prefect UI: what people fill fits what the flows accept, and programs need not care about forms."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from prefect.utilities.schema_tools.validation import validate

from analytics_worker.deployment.fields import fields_of
from analytics_worker.prefect_support.deployments import DeployedFlow, deployed_flows
from analytics_worker.prefect_support.parameter_forms import Form
from flows.alerts import create_threshold_alert, trigger_alert
from flows.alerts.rules import payloads as alert_payloads
from flows.alerts.rules.forms import STATUS_CHOICES, AlertForm, ChannelForm, ThresholdForm
from flows.alerts.rules.payloads import parse_alert, parse_threshold
from flows.alerts.threshold_alert import STATUSES
from flows.dbt import run_dbt_models
from flows.reports import generate_ad_hoc_report, generate_single_report
from flows.reports.definitions.forms import (
    AdHocForm,
    FormatName,
    RecipientsForm,
    ScheduleName,
    SingleReportForm,
)
from flows.reports.definitions.model import Recipients, Report
from flows.reports.definitions.payloads import report_from_payload
from flows.reports.formats import FORMATS
from flows.reports.scheduling.periods import SCHEDULE_TYPES

FORMS: dict[str, tuple[str, type[Form]]] = {
    "trigger-alert": ("alert_data", AlertForm),
    "create-threshold-alert": ("threshold_data", ThresholdForm),
    "generate-single-report": ("report_data", SingleReportForm),
    "generate-ad-hoc-report": ("report_config", AdHocForm),
}
WITH_FORMS = {*FORMS, "run-dbt-models", "refresh-materialized-views"}
RULE = {
    "id": 7,
    "name": "Pipeline fell",
    "query": "select 1 as value",
    "threshold": "1000",
    "operator": "less_than",
    "notification_channels": "email",
    "created_by": None,
}
every_form = pytest.mark.parametrize(
    "deployed",
    [each for each in deployed_flows() if each.flow.name in WITH_FORMS],
    ids=lambda each: each.flow.name,
)


def schema_of(deployed: DeployedFlow) -> dict[str, Any]:
    return fields_of(deployed)["parameter_openapi_schema"]


def schema_of_flow(name: str) -> dict[str, Any]:
    return next(schema_of(each) for each in deployed_flows() if each.flow.name == name)


def errors(name: str, **parameters: Any) -> list[str]:
    """What the form says about parameters, before it sends them."""
    return [each.message for each in validate(parameters, schema_of_flow(name))]


def fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All fields of a schema with their names: those of the forms in it, too."""
    for form in [schema, *schema.get("definitions", {}).values()]:
        yield from form["properties"].items()


def filled(form: type[Form]) -> dict[str, Any]:
    """What a person sends who fills each field with its example."""
    return {name: field.examples[0] for name, field in form.model_fields.items() if field.examples}


@every_form
def test_every_field_says_what_it_is(deployed: DeployedFlow):
    for name, field in fields(schema_of(deployed)):
        assert field["title"], name
        assert field["description"], name


@every_form
def test_the_order_of_the_fields_does_not_depend_on_the_database(deployed: DeployedFlow):
    schema = schema_of(deployed)
    for form in [schema, *schema.get("definitions", {}).values()]:
        positions = [field["position"] for field in form["properties"].values()]
        assert sorted(positions) == list(range(len(positions)))


@every_form
def test_no_field_is_an_editor_for_json(deployed: DeployedFlow):
    """Except the values of a report's own placeholders. The UI shows one for what has no type."""
    for name, field in fields(schema_of(deployed)):
        assert field.keys() & {"type", "anyOf", "$ref", "enum"}, name
        assert field.get("type") != "object" or name == "parameters"


@pytest.mark.parametrize("name", FORMS)
def test_a_filled_form_is_accepted(name):
    parameter, form = FORMS[name]
    values = filled(form)
    more = {"current_value": 3.5, "status": "warning"} if form is ThresholdForm else {}
    assert errors(name, **{parameter: values}, **more) == []


def test_what_forms_send_is_understood():
    alert = {
        name: value
        for name, value in filled(AlertForm).items()
        if name not in {"warning", "critical"}
    }
    assert parse_alert(alert)[1].threshold == 1_000_000
    assert parse_threshold(filled(ThresholdForm))[1].warning == 10
    assert report_from_payload(filled(AdHocForm), "report_config").format == ["csv"]
    assert report_from_payload(filled(SingleReportForm), "report_data").max_rows == 1000


def test_forms_have_only_keys_that_are_read():
    of_alerts = {"id", "name", "query", "operator", "threshold", "notification_channels"}
    of_thresholds = {"id", "metric_name", "query", "comparison_operator", "notification_channels"}
    of_thresholds |= {"warning_threshold", "critical_threshold"}
    of_reports = {"id", "query", "schedule_type"} | set(Report.model_fields)
    assert set(AlertForm.model_fields) <= of_alerts | alert_payloads._RULE_KEYS
    assert set(ThresholdForm.model_fields) <= of_thresholds | alert_payloads._RULE_KEYS
    assert set(AdHocForm.model_fields) <= of_reports
    assert set(SingleReportForm.model_fields) <= of_reports
    assert set(RecipientsForm.model_fields) == set(Recipients.model_fields)


def test_choices_are_those_that_there_are():
    assert set(get_args(FormatName)) == set(FORMATS)
    assert set(get_args(ScheduleName)) == {"manual", *SCHEDULE_TYPES}
    assert set(STATUS_CHOICES) <= set(STATUSES)
    types = get_args(ChannelForm.model_fields["type"].annotation)
    assert set(types) == set(alert_payloads._VARIABLES)


@pytest.mark.parametrize(
    ("name", "parameters", "mistakes"),
    [
        ("refresh-materialized-views", {"view_names": "pipeline_kpis"}, 1),
        ("refresh-materialized-views", {"view_names": [""]}, 1),
        ("refresh-materialized-views", {"views": ["pipeline_kpis"]}, 0),
        ("run-dbt-models", {"select": ["--full-refresh"], "full_refresh": "yes"}, 2),
        ("trigger-alert", {"alert_data": {"id": "a", "query": "select 1", "operator": "=>"}}, 1),
        ("trigger-alert", {"alert_data": {"operator": "~", "threshold": "many"}}, 4),
        ("create-threshold-alert", {"threshold_data": {"id": "a"}, "current_value": "x", "status": "bad"}, 2),
        ("generate-ad-hoc-report", {"report_config": {"name": "r", "query": "select 1", "format": "docx", "max_rows": 0}}, 2),
    ],
)  # fmt: skip
def test_a_form_names_all_mistakes(name, parameters, mistakes):
    assert len(errors(name, **parameters)) == mistakes


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("refresh-materialized-views", {}),
        ("refresh-materialized-views", {"view_names": None}),
        ("refresh-materialized-views", {"view_names": ['raw."Выручка {x} 100%"']}),
        ("run-dbt-models", {"dbt_args": ["--models", "staging", "kpis", "--vars", "{}"]}),
        ("run-dbt-models", {"dbt_args": None, "select": ["+pipeline_kpis", "tag:nightly"]}),
    ],
)
def test_the_parameters_of_the_registry_are_accepted(name, parameters):
    assert errors(name, **parameters) == []


def test_programs_send_plain_mappings_which_reach_the_flow_unchanged():
    """Whole rows, with numbers as text, missing values and keys that nothing reads."""
    report = {
        "name": 5,
        "query": "select 1",
        "format": "EXCEL",
        "recipients": "a@example.com",
        "x": None,
    }
    assert trigger_alert.validate_parameters({"alert_data": RULE}) == {"alert_data": RULE}
    event = {"threshold_data": RULE, "current_value": 1.5, "status": " Critical "}
    assert create_threshold_alert.validate_parameters(event) == event
    for flow, name in (
        (generate_ad_hoc_report, "report_config"),
        (generate_single_report, "report_data"),
    ):
        assert flow.validate_parameters({name: report}) == {name: report}


def test_the_positional_arguments_of_the_registry_are_accepted():
    assert next(iter(run_dbt_models.parameters.properties)) == "dbt_args"


def test_what_events_send_is_not_refused_before_a_run_can_report_it():
    """An automation that the API refuses starts no run, and no recipient is notified."""
    for deployed in deployed_flows():
        takes_mapping = deployed.flow.name in FORMS
        assert fields_of(deployed)["enforce_parameter_schema"] is not takes_mapping
