"""Variables of Prefect for the processes of the stack."""

import pytest

from analytics_worker.settings import settings
from analytics_worker.stack.environment import environment


@pytest.mark.parametrize("given", ["", "/elsewhere"])
def test_an_empty_variable_is_one_that_is_not_set(given, monkeypatch):
    monkeypatch.setenv("PREFECT_HOME", given)
    chosen = environment(4200, "marker", None)
    assert chosen["PREFECT_HOME"] == (given or str(settings().state_dir / "prefect"))
