"""``python -m benchmarks dbt_projects PATH ...``: foreign dbt projects, run by plain dbt and by the worker.

Both sides get a database of their own on one embedded PostgreSQL, with the project's seeds. Then dbt runs
the models and the tests, and the worker runs its two deployments; the results are compared by node. A
project is read where it is (run ``dbt deps`` in it first); what dbt writes goes to a temporary folder.
``DBT_RUNNER`` says which runner the worker uses.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy import make_url, text

from analytics_worker.database import connections
from analytics_worker.database.connections import direct_connection
from analytics_worker.database.dbt_environment import dbt_environment
from analytics_worker.migrations import upgrade
from analytics_worker.prefect_support.runs import submit
from analytics_worker.settings import settings
from analytics_worker.stack.postgres.server import EmbeddedPostgres
from benchmarks._generated_dbt_project import PROFILES
from benchmarks._live_stack import seconds_of
from tests.support.postgres import administer
from tests.support.processes import Server, our_worker

STEPS = {"run": "run-dbt-models/dbt", "test": "run-dbt-tests/dbt"}
TIMEOUT_SECONDS = 1200.0
NO_NODES = "failed before any node"
NODES = """
select node.unique_id, node.status from ops.dbt_runs as run
inner join ops.dbt_node_results as node on node.run_id = run.id
where run.flow_run_id = :run
"""


@dataclass(frozen=True)
class Side:
    """The outcome of one step on one side."""

    nodes: dict[str, str]
    seconds: float

    def __str__(self) -> str:
        counts = sorted(Counter(self.nodes.values()).items())
        return ", ".join(f"{number} {status}" for status, number in counts) or "no nodes"


def compare(paths: Sequence[Path]) -> None:
    """Print one row per project and command, and below it each node that differs."""
    print("| project | command | plain dbt | worker | plain | worker | nodes that differ |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with TemporaryDirectory() as directory, _server(Path(directory)) as (folder, postgres):
        for number, path in enumerate(paths):
            _compare_project(path.resolve(), postgres, folder / str(number))


@contextmanager
def _server(folder: Path) -> Generator[tuple[Path, EmbeddedPostgres]]:
    os.environ["STATE_DIR"] = str(folder / "state")
    with (
        EmbeddedPostgres(folder / "data") as postgres,
        Server(folder / "server") as server,
        temporary_settings({PREFECT_API_URL: server.api_url}),
    ):
        os.environ["PREFECT_API_URL"] = server.api_url
        _use_database(postgres.url)
        upgrade()
        program = "from analytics_worker.cli import main; main()"
        command = [sys.executable, "-c", program, "deploy"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        yield folder, postgres
        connections.dispose()


def _use_database(url: str) -> None:
    os.environ["DATABASE_URL"] = url
    settings.cache_clear()
    connections.dispose()


def _compare_project(project: Path, postgres: EmbeddedPostgres, folder: Path) -> None:
    _write_profile(project, folder)
    os.environ |= {"DBT_PROJECT_PATH": str(project), "DBT_PROFILES_DIR": str(folder)}
    _new_database(postgres, f"plain_{folder.name}")
    _dbt(project, folder, "seed")
    plain = {step: _plain(project, folder, step) for step in STEPS}
    _new_database(postgres, f"worker_{folder.name}")
    _dbt(project, folder, "seed")
    with our_worker("dbt", {"PREFECT_HOME": str(folder / "home")}, folder / "worker.log") as worker:
        submit(STEPS["run"], dbt_args=["--select", "no_such_node"]).get(
            TIMEOUT_SECONDS
        )  # it is ready
        ours = {step: _worker(deployment) for step, deployment in STEPS.items()}
        worker.end()
    for step in STEPS:
        _print(project, step, plain[step], ours[step])


def _write_profile(project: Path, folder: Path) -> None:
    folder.mkdir()
    name = yaml.safe_load((project / "dbt_project.yml").read_text()).get("profile") or "default"
    (folder / "profiles.yml").write_text(PROFILES.replace("generated:", f"{name}:", 1))


def _new_database(postgres: EmbeddedPostgres, name: str) -> None:
    owner = make_url(postgres.url).username or ""
    administer(postgres, "create database {name} owner {owner}", name=name, owner=owner)
    _use_database(make_url(postgres.url).set(database=name).render_as_string(hide_password=False))
    upgrade()


def _dbt(project: Path, folder: Path, step: str) -> None:
    command = [str(Path(sys.executable).parent / "dbt"), step, "--project-dir", str(project)]
    command += ["--profiles-dir", str(folder), "--target-path", str(folder / "target")]
    command += ["--log-path", str(folder)]
    with (folder / f"{step}.log").open("ab") as output:
        subprocess.run(
            command, env=dbt_environment(), cwd=project, stdout=output, stderr=output, check=False
        )


def _plain(project: Path, folder: Path, step: str) -> Side:
    results = folder / "target" / "run_results.json"
    results.unlink(missing_ok=True)
    started = time.perf_counter()
    _dbt(project, folder, step)
    seconds = time.perf_counter() - started
    if not results.exists():
        return Side({"dbt": NO_NODES}, seconds)
    nodes = json.loads(results.read_text())["results"]
    return Side({node["unique_id"]: node["status"] for node in nodes}, seconds)


def _worker(deployment: str) -> Side:
    run = submit(deployment)
    result = run.get(TIMEOUT_SECONDS)
    with direct_connection(make_url(os.environ["DATABASE_URL"])) as connection:
        rows = connection.execute(text(NODES), {"run": str(run.id)}).all()
    if not rows:
        print(f"<!-- {deployment}: {result['message'][:300]} -->")
    return Side({row[0]: row[1] for row in rows} or {"dbt": NO_NODES}, seconds_of(run))


def _print(project: Path, step: str, plain: Side, ours: Side) -> None:
    keys = sorted(plain.nodes | ours.nodes)
    different = [key for key in keys if plain.nodes.get(key) != ours.nodes.get(key)]
    name = "/".join(project.parts[-2:])
    print(
        f"| {name} | {step} | {plain} | {ours} | {plain.seconds:.1f} s | {ours.seconds:.1f} s"
        f" | {len(different)} of {len(keys)} |"
    )
    for key in different[:20]:
        print(f"<!-- {key}: {plain.nodes.get(key)} / {ours.nodes.get(key)} -->")
    sys.stdout.flush()
