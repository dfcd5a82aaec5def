"""A store in a folder of the test, and samples by what Prometheus would call them."""

from pathlib import Path

import pytest

from analytics_worker.exporter.counter_store import Store


@pytest.fixture
def store(tmp_path: Path):
    opened = Store(tmp_path / "exporter.sqlite")
    yield opened
    opened.close()
