"""Braces in names from data are text: Prefect runs names of task runs through ``str.format``."""

from concurrent.futures import Future
from typing import Any

import pytest
from prefect._internal.engine import resolve_custom_task_run_name

from flows.analytics.materialized_views import refresh_view
from flows.dbt._dbt_artifacts import NodeResult
from flows.dbt._nodes import _task
from tests.support.attacks import attack

HOSTILE = ["a{b}", "{", "}", "{0}", "{view.__class__.__init__.__globals__}", "{{ 7*7 }}", "%s"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("materialized", ["ephemeral", "table"])
@attack(by="data", what="braces in the name of a dbt node or a view", answer="shown as they are")
def test_a_dbt_node_may_have_any_name(name, materialized):
    node: dict[str, Any] = {
        "resource_type": "model",
        "node_name": name,
        "materialized": materialized,
        "node_relation": {"database": "d", "schema": "s", "alias": name},
    }
    shown = resolve_custom_task_run_name(_task(node, Future[NodeResult]()), {})
    assert shown == f"model {name}"


class NamedView:
    def __init__(self, label: str) -> None:
        self.label = label


@pytest.mark.parametrize("name", HOSTILE)
@attack(by="data", what="braces in the name of a materialized view", answer="shown as they are")
def test_a_view_may_have_any_name(name):
    given = {"view": NamedView(name), "reason": "", "side_by_side": 1}
    assert resolve_custom_task_run_name(refresh_view, given) == f"refresh {name}"
