"""Run one dbt command in the child process, and report it as lines of JSON.

Reads one request (a JSON line) from standard input; writes one JSON line per event to standard
output: ``nodes`` (how many), ``unmatched`` criteria of the selection, ``start`` and ``end`` of each node, ``log`` lines, and finally ``done``. All other
output goes to standard error. Started by path, so that dbt is imported but Prefect is not.
"""

import ctypes
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
# Sets only the limits that this server supports, in one round trip. Limits of the role, the database
# or profiles.yml are only lowered; 0 is no limit.
SET_LIMITS = """
select
    set_config(
        wanted.name,
        least(nullif(pg_settings.setting, '0')::bigint, wanted.value::bigint)::text,
        false
    )
from json_each_text(%s::json) as wanted (name, value)
inner join pg_catalog.pg_settings using (name)
"""


def set_parent_death_signal(parent: int) -> None:
    """Let the kernel kill this process when the process of the flow ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before the line above
        os._exit(1)


def event_emitter(descriptor: int) -> Callable[..., None]:
    """Return a thread-safe function that writes one event as a line."""
    lock = threading.Lock()

    def emit(event: str, **fields: object) -> None:
        line = json.dumps({"event": event, **fields}, default=str).encode() + b"\n"
        with lock:
            while line:
                line = line[os.write(descriptor, line) :]

    return emit


def guard_connections(
    application_name: str, limits: dict[str, str], lease: str | None = None
) -> None:
    """Set application name and limits of every connection, regardless of profiles.yml.

    With a file of the run's lease, each statement waits while the run may be lost.
    """
    import psycopg2  # noqa: PLC0415  # with dbt, not before it

    connect = psycopg2.connect  # noqa: TID251  # dbt's own, wrapped

    cursor_of_run = _fenced_cursor(lease) if lease else None

    def guarded(*args: Any, **options: Any) -> Any:
        options = with_parameters(options) | {"application_name": application_name}
        options |= {"cursor_factory": cursor_of_run} if cursor_of_run else {}
        connection: Any = connect(*args, **options)
        connection.autocommit = True  # a rolled back set_config would be undone
        try:
            with connection.cursor() as cursor:
                cursor.execute(SET_LIMITS, [json.dumps(limits)])
        except psycopg2.Error as error:
            print(f"could not set the limits of a connection: {error}", file=sys.stderr)  # noqa: T201
        connection.autocommit = False
        return connection

    psycopg2.connect = guarded  # noqa: TID251


def _fenced_cursor(lease: str) -> type[Any]:
    from psycopg2.extensions import cursor  # noqa: PLC0415  # with dbt, not before it

    from analytics_worker.shared_lease import fence, fenced_cursor  # noqa: PLC0415

    return fenced_cursor(cursor, fence(Path(lease)))


def with_parameters(options: dict[str, Any]) -> dict[str, Any]:
    """Add the parameters of DATABASE_URL that profiles.yml can't express, if it is that database."""
    variables = os.environ  # noqa: TID251  # dbt reads the same ones
    names = {"host": "DBT_HOST", "user": "DBT_USER", "dbname": "DBT_DBNAME"}
    if any(options.get(name) != variables.get(variable) for name, variable in names.items()):
        return options
    extra = json.loads(variables.get("DBT_LIBPQ_PARAMETERS", "{}"))
    if "options" in extra and "options" in options:  # dbt's search_path
        extra["options"] = f"{extra['options']} {options['options']}"
    return options | extra


def use_c_json_encoder() -> None:
    """Let dbt encode its artifacts with the C encoder, which takes a tenth of the time.

    ``json.dump`` encodes each value in Python; a manifest has half a million values.
    """

    def dump(value: Any, file: Any, **options: Any) -> None:
        file.write(json.dumps(value, **options))

    json.dump = dump


def write_manifest_once() -> None:
    """Prevent dbt from writing the manifest again after the nodes ran; the compiled code is not used."""
    from dbt.task import runnable  # noqa: PLC0415

    def skip(*_: Any) -> None:
        pass

    setattr(runnable, "write_manifest", skip)  # noqa: B010  # a private function of dbt


def skip_nodes(unique_ids: list[str]) -> None:
    """Let dbt skip these nodes, as it skips what depends on a failed node, if they are selected."""
    from dbt.task.runnable import GraphRunnableTask  # noqa: PLC0415

    start = GraphRunnableTask.__init__

    def start_with_skips(task: Any, *args: Any, **options: Any) -> None:
        start(task, *args, **options)
        task._skipped_children |= dict.fromkeys(unique_ids)  # noqa: SLF001  # there is no other way

    setattr(GraphRunnableTask, "__init__", start_with_skips)  # noqa: B010  # a class of dbt


class EventForwarder:
    """Forward node events, and log lines from level info upwards; without those about single nodes in a large run."""

    def __init__(self, emit: Callable[..., None], node_lines: int) -> None:
        self._emit = emit
        self._node_lines = node_lines
        self._summarized = False

    def __call__(self, message: Any) -> None:
        info = message.info
        if info.name in {"NodeStart", "NodeFinished"}:
            self._forward_node(message)
            return
        if info.name == "NoNodesForSelectionCriteria":
            self._emit("unmatched", criterion=message.data.spec_raw)
        if info.name == "ConcurrencyLine":
            count = int(message.data.node_count)
            self._summarized = count > self._node_lines
            self._emit("nodes", count=count, summarized=self._summarized)
        if info.level != "debug" and info.msg.strip() and not self._is_left_out(message):
            self._emit("log", name=info.name, level=info.level, message=info.msg)

    def _forward_node(self, message: Any) -> None:
        from google.protobuf.json_format import MessageToDict  # noqa: PLC0415  # comes with dbt

        data = MessageToDict(message.data, preserving_proto_field_name=True)
        kind = "start" if message.info.name == "NodeStart" else "end"
        self._emit(kind, node=data["node_info"], result=data.get("run_result", {}))

    def _is_left_out(self, message: Any) -> bool:
        if not self._summarized or message.info.level != "info":
            return False
        return bool(getattr(getattr(message.data, "node_info", None), "unique_id", ""))


def load_dbt() -> type[Any]:
    """Import the entry point of dbt without garbage collection and eager serializer compilation."""
    from mashumaro.config import BaseConfig  # noqa: PLC0415

    gc.disable()
    BaseConfig.lazy_compilation = True
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    from analytics_worker.dbt_tuning import tune  # noqa: PLC0415

    tune()
    gc.freeze()
    return dbtRunner


def invoke(emit: Callable[..., None], request: dict[str, Any]) -> None:
    """Run the command of the request and report its result."""
    runner = load_dbt()
    guard_connections(request["application_name"], request["limits"], request["lease"])
    use_c_json_encoder()
    if "generate" not in request["argv"]:
        write_manifest_once()
    skip_nodes(request["left_out"])
    forwarder = EventForwarder(emit, request["node_lines"])
    if request.get("prefect_context"):
        from flows.dbt import _prefect_dbt  # noqa: PLC0415  # imports Prefect

        result = _prefect_dbt.invoke(request["argv"], forwarder, request["prefect_context"])
    else:
        result = runner(callbacks=[forwarder]).invoke(request["argv"])
    error = result.exception
    emit(
        "done",
        success=result.success,
        error=None if error is None else str(error) or type(error).__name__,
        error_type=None if error is None else type(error).__name__,
    )


def main() -> None:
    """Run one request as an interruptible process that ends with its parent."""
    set_parent_death_signal(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # may be inherited as ignored
    emit = event_emitter(os.dup(sys.stdout.fileno()))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    load_dbt()  # while the flow prepares the request
    invoke(emit, json.loads(sys.stdin.readline()))


if __name__ == "__main__":
    main()
