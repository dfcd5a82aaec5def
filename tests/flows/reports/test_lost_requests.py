"""A requested report is generated and sent once, however often its request runs."""

from datetime import UTC, datetime

import pytest

from flows.reports import generate_ad_hoc_report
from flows.reports.runs.store import open_run_store
from tests.flows.reports.reports import ANN, runs
from tests.support.request_runs import run_request
from tests.support.sql import query

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")

CONFIG = {"report_config": {"name": "Question", "query": "select 1 as n", "recipients": [ANN]}}


def test_a_request_that_was_done_is_not_done_again(smtp_sink):
    first, _ = run_request(generate_ad_hoc_report, CONFIG)
    _, again = run_request(generate_ad_hoc_report, CONFIG, repeats=(first, datetime.now(UTC)))
    assert (again.name, again.message) == ("Completed", "it was already generated; 0 messages sent")
    assert len(runs()) == len(smtp_sink.messages) == 1


def test_a_report_that_a_lost_run_still_holds_is_left_to_a_later_run(smtp_sink):
    first, _ = run_request(generate_ad_hoc_report, CONFIG)
    with open_run_store() as suspended:
        query("update ops.report_runs set status = 'pending' returning id")
        (run_id,) = query("select id from ops.report_runs")
        assert suspended.claim(run_id)
        _, state = run_request(generate_ad_hoc_report, CONFIG, repeats=(first, datetime.now(UTC)))
    assert (state.name, state.state_details.retriable) == ("Failed", True)
    assert state.message == "the process of an earlier run still holds the report"
    assert len(smtp_sink.messages) == 1
