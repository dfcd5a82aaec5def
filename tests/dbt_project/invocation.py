"""One dbt invocation in a process of its own.

A fork server imports dbt once; each invocation is a fork of it, so it costs no imports and leaves
nothing behind in the test process.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["dbt.cli.main", "dbt.adapters.postgres", "psycopg2"])


@dataclass(frozen=True)
class Invocation:
    """What dbt did: status and message per node, warnings, names it listed, why it failed."""

    success: bool
    error: str = ""
    nodes: dict[str, tuple[str, str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def with_status(self, *statuses: str) -> dict[str, str]:
        """Message per node that ended so."""
        return {name: said for name, (status, said) in self.nodes.items() if status in statuses}


def invoke(arguments: list[str], environment: Mapping[str, str]) -> Invocation:
    """Run ``dbt <arguments>`` with these variables and nothing else of DBT_*."""
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_run, args=(theirs, arguments, dict(environment)))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        process.join()


def _run(answer: Connection, arguments: list[str], environment: dict[str, str]) -> None:
    from dbt.cli.main import dbtRunner  # noqa: PLC0415  # only the forks need it

    os.environ.update(environment)
    warnings: list[str] = []

    def note(event: Any) -> None:
        if event.info.level == "warn":
            warnings.append(event.info.msg)

    outcome = dbtRunner(callbacks=[note]).invoke(["--quiet", *arguments])
    results = getattr(outcome.result, "results", [])
    nodes = {one.node.name: (str(one.status), one.message or "") for one in results}
    names = outcome.result if isinstance(outcome.result, list) else []
    error = str(outcome.exception or "")
    answer.send(Invocation(outcome.success, error, nodes, warnings, names))
