"""Moved and copied checkouts, and two side by side: each uses its own code and stack, or is refused in a line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analytics_worker.settings import project_root
from analytics_worker.stack.state_dir import StateFolder
from analytics_worker.stack_address import API_URL
from tests.support.stack import COMMAND

MAKE = shutil.which("make") or "make"
UNSHARE = shutil.which("unshare")
NAMESPACE = ("--user", "--map-root-user", "--mount")


@pytest.fixture
def copied(tmp_path):
    """A copy of this checkout, of which the scripts still start the Python of this one."""
    scripts = tmp_path / "copy/.venv/bin"
    scripts.mkdir(parents=True)
    for name in ("analytics-worker", "prefect"):
        script = (Path(sys.prefix) / "bin" / name).read_text()
        (scripts / name).write_text(script)
        (scripts / name).chmod(0o700)
    return tmp_path / "copy"


@pytest.mark.parametrize("words", [("analytics-worker", "status"), ("prefect", "version")])
def test_a_copied_script_is_refused(copied, words):
    script = copied / ".venv/bin" / words[0]
    done = subprocess.run(
        [script, *words[1:]], cwd=copied, capture_output=True, text=True, check=False
    )
    expected = f"error: {copied} was moved or copied, and its .venv is of {Path(sys.prefix).parent}"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(expected)
    assert done.stderr.count("\n") == 1


@pytest.fixture
def made(copied):
    """A copy with what an environment is made of; what `make` would do there."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "setup-environment"):
        shutil.copy(project_root() / name, copied)
    (copied / ".venv/.ready").write_text(f"{copied.resolve()}\n")

    outside = {name: text for name, text in os.environ.items() if "MAKE" not in name}

    def make(*words):  # as from a shell, also within `make test`
        done = subprocess.run(
            [MAKE, "-n", *words],
            cwd=copied,
            env=outside,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    return make


def test_make_sets_up_a_moved_folder_again(made, copied):
    (copied / ".venv/.ready").write_text("/another/folder\n")
    assert "This folder was moved or copied" in made("up")


def test_make_alone_sets_the_environment_up(made, copied):
    """As docs/production.md and docs/upgrade.md say: at first, and after an update of the lock."""
    assert made() == f"{MAKE}: Nothing to be done for 'environment'.\n".replace(MAKE, "make")
    os.utime(copied / "requirements.lock")
    assert made() == "./setup-environment python3\n"
    shutil.rmtree(copied / ".venv")
    assert made() == "./setup-environment python3\n"


def test_two_checkouts_have_a_stack_each(tmp_path):
    """Each command finds the stack of its own state folder."""
    addresses = ["http://127.0.0.1:4201/api", "http://127.0.0.1:4202/api"]
    folders = [StateFolder(tmp_path / name) for name in ("one", "two")]
    for folder, address in zip(folders, addresses, strict=True):
        folder.path.mkdir()
        folder.write_env({API_URL: address})
    for folder, address in zip(folders, addresses, strict=True):
        variables = {**os.environ, "STATE_DIR": str(folder.path)}
        variables.pop(API_URL, None)
        variables.pop("DATABASE_URL", None)
        done = subprocess.run(
            [*COMMAND, "env"], env=variables, capture_output=True, text=True, check=False
        )
        assert f"export {API_URL}={address}\n" in done.stdout


def test_a_read_only_checkout_is_one_line(tmp_path):
    root = project_root()
    mount = f"mount --bind '{root}' '{root}' && mount -o remount,ro,bind '{root}'"
    namespace = [UNSHARE or "unshare", *NAMESPACE, "--", "sh", "-c"]
    if subprocess.run([*namespace, mount], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces on this host")
    variables = {**os.environ, "STATE_DIR": str(root / ".nosuch")}
    code = f"{mount} && cd '{tmp_path}' && exec '{sys.executable}' -c '{COMMAND[-1]}' up"
    done = subprocess.run(
        [*namespace, code], env=variables, capture_output=True, text=True, check=False
    )
    expected = f"error: {root}/.nosuch can't be written: its file system is read-only: mount"
    assert done.stderr.startswith(expected)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
