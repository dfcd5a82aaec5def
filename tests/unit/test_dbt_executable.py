"""Which executables are accepted as dbt."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from analytics_worker.dbt_executable import DbtExecutable, DbtExecutableError, checked_executable
from analytics_worker.settings import settings
from tests.support.scripts import PYTHON, write_program

Installer = Callable[..., Path]
OURS = f"{PYTHON}print('dbt 1.11.0')"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:
    """Make a script the executable."""
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))

    def write(script: str, name: str = "my dbt") -> Path:
        path = write_program(tmp_path / name, script)
        monkeypatch.setenv("DBT_EXECUTABLE", str(path))
        settings.cache_clear()
        return path

    return write


REFUSED = {
    "missing": ("/no/such/dbt", "does not exist"),
    "a folder": ("/tmp", "is not a file"),
    "not on PATH": ("no-such-dbt", "is not on PATH"),
    "another program": ("/bin/true", "is not dbt"),
}


@pytest.mark.parametrize(("name", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_dbt_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, said: str):
    monkeypatch.setenv("DBT_EXECUTABLE", name)
    settings.cache_clear()
    with pytest.raises(DbtExecutableError, match="DBT_EXECUTABLE=") as refused:
        checked_executable()
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("#!/bin/sh\necho 'dbt 1.5.2'", "expected 1.8 or newer"),
        (
            "#!/bin/sh\necho '- installed: 1.11.0\nPlugins:\n  - duckdb: 1.9'",
            "without dbt-postgres",
        ),
        ("#!/no/such/interpreter\n", "can't be run"),
        ("#!/bin/sh\nyes 'no version'", "is not dbt"),
    ],
)
def test_an_unsuitable_dbt_is_refused(install: Installer, script: str, said: str):
    install(script)
    with pytest.raises(DbtExecutableError) as refused:
        checked_executable()
    assert said in str(refused.value)


def test_prefect_dbt_needs_the_dbt_of_this_environment(
    install: Installer, monkeypatch: pytest.MonkeyPatch
):
    install(OURS)
    monkeypatch.setenv("DBT_RUNNER", "prefect")
    settings.cache_clear()
    with pytest.raises(DbtExecutableError, match="unset it or DBT_EXECUTABLE"):
        checked_executable()


def test_a_name_on_path_and_a_known_version(install: Installer, monkeypatch: pytest.MonkeyPatch):
    path = install(OURS, "dbt-of-path")
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DBT_EXECUTABLE", "dbt-of-path")
    settings.cache_clear()
    assert checked_executable() == DbtExecutable(str(path), "1.11.0")
    stored = settings().state_dir / "dbt" / "executable.json"
    stored.write_text(stored.read_text().replace("1.11.0", "1.11.99"))
    assert checked_executable() == DbtExecutable(str(path), "1.11.99")  # not asked again
    path.write_text(f"{OURS}\n# an update")
    assert checked_executable() == DbtExecutable(str(path), "1.11.0")
