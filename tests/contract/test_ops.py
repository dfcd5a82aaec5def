"""The files of ops/ are valid for their tools, agree with each other, and name variables that exist."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from compose_spec import PyCompose

from analytics_worker.cli import COMMANDS
from analytics_worker.server.request_rules import Request, Rules
from analytics_worker.server_login import login_problem
from analytics_worker.settings import Settings, project_root
from analytics_worker.settings.unknown_variables import LISTS
from tests.support.ops_files import (
    ENV_FILES,
    KUBERNETES,
    OPS,
    UNITS,
    assignments,
    compose,
    compose_references,
    containers,
    documents,
    unit,
)

OF_IMAGES = re.compile(r"POSTGRES_PASSWORD|GF_[A-Z_]+|PROMETHEUS_URL")
"""Variables that the images of PostgreSQL and Grafana read, and the data source of Grafana."""
OF_COMPOSE = {
    *("ANALYTICS_IMAGE", "ANALYTICS_DATABASE_PASSWORD", "PREFECT_DATABASE_PASSWORD"),
    "GRAFANA_PASSWORD",
}
"""Variables that only ops/compose.yml itself and the script that creates the databases read."""
OF_PROCESSES = {"PATH", "HOME", "PYTHONDONTWRITEBYTECODE"}
OF_EXAMPLES = re.compile(r"PREFECT_(?:SERVER_)?API_AUTH_STRING=['\"]?(\w[\w.-]*:[\w.-]+)")
FILLED = dict.fromkeys(compose_references(), "secret") | {
    "ANALYTICS_IMAGE": "",
    "PREFECT_SERVER_API_PORT": "",
}
SERVICES: dict[str, Any] = compose(FILLED)["services"]
OWN = [name for name, service in SERVICES.items() if "analytics-worker" in service["image"]]


def variables() -> Iterator[tuple[str, str]]:
    """Every variable that a file of ops/ sets for a program, and the file."""
    for service in SERVICES.values():
        yield from (("compose.yml", name) for name in service.get("environment", {}))
    for path in UNITS:
        words = " ".join(unit(path)["Environment"]).split()
        yield from ((path.name, word.partition("=")[0]) for word in words)
    for path in ENV_FILES:
        yield from ((path.name, name) for name in assignments(path))
    for path in KUBERNETES.rglob("*.yaml"):
        for manifest in documents(path):
            yield from ((path.name, name) for name in manifest.get("data", {}))
            entries = [entry for each in containers(manifest) for entry in each.get("env", [])]
            yield from ((path.name, entry["name"]) for entry in entries)
    text = (project_root() / "Containerfile").read_text()
    block = re.search(r"^ENV (.*(?:\\\n.*)*)", text, re.MULTILINE)
    assert block
    yield from (("Containerfile", name) for name in re.findall(r"([A-Z_]+)=", block[1]))


def test_every_variable_exists():
    known = {name.upper() for name in Settings.model_fields} | LISTS["PREFECT"][1]()
    known |= OF_COMPOSE | OF_PROCESSES
    found = set(variables())
    assert {"compose.yml", "Containerfile", "secrets.env.example"} <= {file for file, _ in found}
    unknown = {(f, v) for f, v in found if v not in known and not OF_IMAGES.fullmatch(v)}
    assert not unknown


def test_the_example_of_compose_has_each_variable():
    example = (OPS / "compose.env.example").read_text()
    for name, required in compose_references().items():
        start = "" if required or f"\n{name}=" in example else "# "
        assert f"\n{start}{name}=" in example, name


def test_compose_is_valid():
    """Compose's own specification, and what it leaves to the program: names that are defined."""
    content = compose(FILLED)
    compose_file = PyCompose.from_json(json.dumps(content))
    compose_file.validate()
    compose_file.to_spec()
    volumes = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    for source in (mount.partition(":")[0] for mount in volumes):
        assert (OPS / source).exists() if source.startswith(".") else source in content["volumes"]
    needed = {name for service in SERVICES.values() for name in service.get("depends_on", {})}
    assert needed <= SERVICES.keys()


@pytest.mark.parametrize(
    "change", [{"volume": []}, {"stop_grace_period": "soon"}, {"image": "a b"}]
)
def test_what_compose_does_not_know_is_found(change: dict[str, Any]):
    content = compose(FILLED)
    content["services"]["worker"] |= change
    with pytest.raises(ValueError, match=r".+"):
        PyCompose.from_json(json.dumps(content))


@pytest.mark.parametrize("port", ["", "4300"])
def test_the_published_port_of_compose_is_a_name_of_the_server(port: str):
    server = compose({**FILLED, "PREFECT_SERVER_API_PORT": port})["services"]["server"]
    published = server["ports"][0].rpartition(":")[0]
    rules = Rules.of("0.0.0.0", 4200, server["environment"]["SERVER_ALLOWED_HOSTS"].split(","))  # noqa: S104
    for name in (published, published.replace("127.0.0.1", "localhost")):
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": [(b"host", name.encode())],
        }
        assert rules.refusal(Request(scope)) is None, name


def test_compose_has_the_whole_worker():
    assert SERVICES["worker"]["deploy"]["replicas"] > 1
    images = {
        service["image"].partition(":")[0].rpartition("/")[2] for service in SERVICES.values()
    }
    assert images == {"analytics-worker", "postgres", "redis", "prometheus", "grafana"}


@pytest.mark.parametrize("name", OWN)
def test_containers_of_compose_are_locked_down(name: str):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["command"][0] in COMMANDS
    folders = [mount.split(":")[1] for mount in service["volumes"]]
    assert "/var/lib/analytics-worker" not in folders or "replicas" not in service.get("deploy", {})


def test_ports_are_published_on_loopback_only():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_image_has_the_packages_of_the_lock_file():
    """`make lock` renews both."""
    pattern = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
    whole, image = (
        dict(pattern.findall((project_root() / name).read_text()))
        for name in ("requirements.lock", "requirements-image.lock")
    )
    assert image.items() <= whole.items()
    project = tomllib.loads((project_root() / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["calendar"]]
    assert {re.split("[^a-z0-9-]", line)[0] for line in wanted} <= image.keys()


def test_every_login_of_an_example_is_refused():
    root = project_root()
    files = [*root.glob("docs/**/*.md"), *root.glob("ops/**/*.example"), root / "README.md"]
    found = {each for file in files for each in OF_EXAMPLES.findall(file.read_text())}
    assert "admin:choose-one" in found
    accepted = {login for login in found if not login_problem(login)}
    assert not accepted
