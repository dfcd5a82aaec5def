"""What documented commands of other programs (docker, kubectl, systemd) refer to: files and commands of this project."""

import re
from collections.abc import Sequence

from analytics_worker.settings import project_root

PROGRAMS = {"cp", "python", "docker", "install", "kubectl", "systemctl", "systemd-run", "useradd"}
IMAGE = "analytics-worker"
"""The name of the image, and of the script that it starts."""
MADE_BY_READER = re.compile(r"ops/kubernetes/overlays/\w+/[\w-]+\.env|ops/\.env")
UNIT = re.compile(r"analytics-(server|worker|exporter)")


def missing_files(words: Sequence[str]) -> list[str]:
    """Return the files of this project that a command names and that do not exist."""
    assert words[0].rpartition("/")[2] in PROGRAMS, words[0]
    names = [word for word in words if word.startswith("ops/") or word == "Containerfile"]
    if words[0] == "systemctl":
        names += [f"ops/systemd/{word}.service" for word in words if UNIT.fullmatch(word)]
    return [
        name
        for name in names
        if not (project_root() / name).exists() and not MADE_BY_READER.fullmatch(name)
    ]


def own_arguments(words: Sequence[str]) -> list[str]:
    """Return the arguments of `analytics-worker` in a command that starts it somewhere; empty if it does not."""
    starts = words[:2] == ["docker", "run"] or "exec" in words or words[0] == "systemd-run"
    places = [n for n, word in enumerate(words) if word.rpartition("/")[2] == IMAGE]
    return list(words[places[-1] + 1 :]) if starts and places else []
