"""Two checkouts have the same version if they have the same code, wherever they are."""

import shutil
from pathlib import Path

import pytest

from analytics_worker.exporter.collectors.deployments import other_versions
from analytics_worker.source_version import Checkout, is_source_version, source_version


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "one"
    for name in ("flows/a.py", "flows/sql/b.sql", "dbt_project/models/m.sql", "prefect.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_a_copy_in_another_folder_has_the_same_version(checkout: Path, tmp_path: Path):
    copy = shutil.copytree(checkout, tmp_path / "two")
    assert Checkout(copy).version() == Checkout(checkout).version()
    assert is_source_version(Checkout(copy).version())


@pytest.mark.parametrize("change", ["flows/a.py", "flows/new.py", "prefect.yaml"])
def test_changed_and_new_code_is_another_version(checkout: Path, change: str):
    known = Checkout(checkout)
    before = known.digest()
    (checkout / change).write_text("changed")
    assert known.digest() != before


def test_a_file_that_moves_is_another_version(checkout: Path):
    before = Checkout(checkout).digest()
    (checkout / "flows/a.py").rename(checkout / "flows/c.py")
    assert Checkout(checkout).digest() != before


@pytest.mark.parametrize(
    "written",
    ["flows/__pycache__/a.pyc", "dbt_project/target/manifest.json", "dbt_project/.user.yml"],
)
def test_what_programs_write_does_not_count(checkout: Path, written: str):
    before = Checkout(checkout).digest()
    (checkout / written).parent.mkdir(parents=True, exist_ok=True)
    (checkout / written).write_text("x")
    (checkout / "flows/gone.py").symlink_to("nowhere")
    assert len({before, Checkout(checkout).digest()}) == 2  # the link counts, by its name
    (checkout / "flows/gone.py").unlink()
    assert Checkout(checkout).digest() == before


@pytest.mark.parametrize("text", [None, "", "1.0", "main", "1.0+0f22", "1.0+0f22e2d9ac31\n"])
def test_other_texts_are_no_versions_of_the_code(text: str | None):
    assert not is_source_version(text)
    assert is_source_version(source_version())


def test_the_metric_shows_which_deployments_of_this_project_are_of_another_version():
    rows = {
        ("refresh-catalog/analytics", "analytics"): ("flows.analytics.catalog", source_version()),
        ("run-dbt-models/dbt", "dbt"): ("flows.dbt.models", "0.0.1+000000000000"),
        ("theirs/x", "x"): ("their.py:flow", "1"),
        ("none/x", "x"): (None, None),
    }
    found = other_versions(
        (labels, {"entrypoint": entrypoint, "version": version})
        for labels, (entrypoint, version) in rows.items()
    )
    assert list(found.values()) == [0.0, 1.0]
