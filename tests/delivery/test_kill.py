"""After kill -9 at any stage, in each domain, nothing is lost and at most one message is sent twice, with the same id."""

import pytest

from analytics_worker.settings import settings
from tests.delivery.kill_harness import STAGES, Drilled, Rig, drill, table

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def results():
    """Collect the drills; ``-s`` shows them as a table."""
    drills: dict[tuple[str, str], Drilled] = {}
    yield drills
    print(f"\n{table(drills)}")  # noqa: T201


@pytest.fixture(params=["alerts", "reports", "monitoring"])
def rig(request, deliveries, smtp_sink, http_sink, delivery_context, monkeypatch, tmp_path):
    (tmp_path / "sales.csv").write_bytes(b"n\n1\n")
    monkeypatch.setenv("REPORT_OUTPUT_DIR", str(tmp_path))
    settings.cache_clear()
    return Rig(
        request.param, deliveries, smtp_sink, http_sink, delivery_context, monkeypatch.setenv
    )


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_sender_loses_no_message(stage, rig, results):
    drilled = drill(stage, rig)
    results[stage, rig.domain] = drilled
    assert (drilled.lost, drilled.strangers) == (0, 0)
    assert drilled.doubled <= 1
    if "received" in stage or "no answer" in stage:
        assert drilled.doubled == 1, "the one in doubt is repeated"
