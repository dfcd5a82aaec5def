"""A full disk below dbt's target folder: the run names the folder, and nothing is left there."""

from pathlib import Path

import pytest

from analytics_worker.settings import settings
from flows.dbt import run_dbt_models


@pytest.mark.usefixtures("at_once")
def test_a_full_disk_names_the_folder(model, small_disk: Path, monkeypatch: pytest.MonkeyPatch):
    model("one.sql", "select 1 as id")
    monkeypatch.setenv("STATE_DIR", str(small_disk))
    settings.cache_clear()

    state = run_dbt_models(return_state=True)

    assert state.name == "Failed"
    assert f"{small_disk}/dbt can't be written: no space left, " in str(state.message)
    assert "set STATE_DIR to another folder" in str(state.message)
    assert list((small_disk / "dbt" / "runs").iterdir()) == []
