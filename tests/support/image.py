"""The image that Containerfile describes, built with buildah on a base of debootstrap, and containers of it.

No registry of images is needed. A container is the file system of the image with the user and the variables that the
image names, a read-only root, and processes of its own; it has the network of this host.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from analytics_worker.settings import project_root

TOOLS = ("buildah", "debootstrap", "unshare", "nsenter", "setpriv")
PACKAGES = "python3,python3-venv,ca-certificates"
REMOVED = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
)
"""What images of Debian do not have either."""
MIRROR, RELEASE = "http://deb.debian.org/debian", "bookworm"
RUN = Path(__file__).with_name("run_image.sh")


def skip_without_tools() -> None:
    """Skip the test where images can't be built."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(missing or TOOLS)} (Debian has packages of these)")


class Image:
    """Builds and mounts the image in a storage of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.config: dict[str, Any] = {}
        self.root = Path()

    def build(self) -> None:
        """Make the base and the image, and mount the image."""
        tree = self._folder / "base"
        _run(
            "debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(tree), MIRROR
        )
        for name in REMOVED:
            shutil.rmtree(tree / name, ignore_errors=True)
        base = self._buildah("from", "scratch")
        self._buildah("add", base, str(tree), "/")
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self._buildah("config", "--env", path, base)
        self._buildah("commit", base, "localhost/base")
        mounts = [option for path in _pip_files() for option in ("--volume", f"{path}:{path}:ro")]
        options = ["--format", "docker", "--network", "host", "--build-arg", "BASE=localhost/base"]
        containerfile = ["--file", "Containerfile", "--tag", "localhost/analytics-worker", "."]
        self._buildah("build", *options, *mounts, *containerfile)
        container = self._buildah("from", "localhost/analytics-worker")
        self.config = json.loads(self._buildah("inspect", container))["Docker"]["config"]
        self.root = Path(self._buildah("mount", container))

    def remove(self) -> None:
        """Unmount and remove everything."""
        self._buildah("rm", "--all")

    def megabytes(self) -> float:
        """Size of the image."""
        images = json.loads(self._buildah("images", "--json", "localhost/analytics-worker"))
        number, unit = images[0]["size"].split()
        return float(number) * {"MB": 1, "GB": 1000}[unit]

    def _buildah(self, *arguments: str) -> str:
        storage = ["--root", str(self._folder / "storage"), "--runroot", str(self._folder / "run")]
        return _run("buildah", *storage, *arguments)


class Container:
    """Commands in a container of the image, with one state folder."""

    def __init__(self, image: Image, state: Path, **variables: str) -> None:
        self._image = image
        self._state = state
        self._variables = dict(each.split("=", 1) for each in image.config["Env"]) | variables
        self._user: str = image.config["User"]
        state.mkdir()
        os.chown(state, *map(int, self._user.split(":")))

    def command(self, *arguments: str) -> list[str]:
        """Return what starts the image's entry point with these arguments, as process 1."""
        run = [str(RUN), str(self._image.root), str(self._state), self._user]
        variables = [f"{name}={value}" for name, value in self._variables.items()]
        own = ["unshare", "--mount", "--pid", "--fork", "--kill-child", *run]
        return [*own, "env", "-i", *variables, *self._image.config["Entrypoint"], *arguments]

    def run(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return _completed(self.command(*arguments), timeout)

    def start(self, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a service."""
        with log.open("wb") as output:
            return subprocess.Popen(self.command(*arguments), stdout=output, stderr=output)

    def health(self, process: subprocess.Popen[bytes]) -> subprocess.CompletedProcess[str]:
        """Run the health check of the image beside a service."""
        first = psutil.Process(process.pid).children()[0].pid
        check = self._image.config["Healthcheck"]["Test"][1:]
        variables = [f"{name}={value}" for name, value in self._variables.items()]
        place = ["nsenter", "--target", str(first), "--mount", "--pid", "chroot"]
        place += [str(self._image.root), "env", "-i", "--chdir=/app"]
        return _completed([*place, *variables, *check], 60)


def _pip_files() -> list[str]:
    """Return the files and folders that pip's configuration of this machine consists of and names."""
    pip = [sys.executable, "-m", "pip", "config"]
    texts = [_completed([*pip, what], 60).stdout for what in ("list", "debug")]
    named = re.findall(r"(?:(?<=[\s'])|(?<=file://))(/[^\s',]+)", texts[0])
    own = re.findall(r"^\s*(/\S+), exists: True", texts[1], re.MULTILINE)
    # An index of files names them beside its folder, which by convention is called simple.
    paths = {path.removesuffix("/simple") for path in (*named, *own)}
    return sorted(path for path in paths if Path(path).exists())


def _run(*command: str) -> str:
    done = _completed(command, 1500)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout.strip()


def _completed(command: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=project_root(),
        env=os.environ | {"BUILDAH_ISOLATION": "chroot"},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
