"""The program that runs in the child process: one dbt command, told as lines of JSON.

Reads one request (a JSON line) from standard input; writes one JSON line per event to standard
output: ``start`` and ``end`` of each node, ``log`` lines, and ``done`` at last. Whatever else
prints goes to standard error. Started by path, so that only dbt is imported and nothing of Prefect.
"""

import ctypes
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

PR_SET_PDEATHSIG = 1
# Only limits that this server knows, in one round trip.
SET_LIMITS = """
select set_config(wanted.name, wanted.value, false)
from json_each_text(%s::json) as wanted (name, value)
inner join pg_catalog.pg_settings using (name)
"""


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the flow's process ends, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before the line above
        os._exit(1)


def events_to(descriptor: int) -> Callable[..., None]:
    """A function that writes one event as a line, from any thread."""
    lock = threading.Lock()

    def emit(event: str, **fields: object) -> None:
        line = json.dumps({"event": event, **fields}, default=str).encode() + b"\n"
        with lock:
            while line:
                line = line[os.write(descriptor, line) :]

    return emit


def guard_connections(application_name: str, limits: dict[str, str]) -> None:
    """Name and limit every connection, whatever profiles.yml says about it."""
    import psycopg2  # noqa: PLC0415  # with dbt, not before it

    connect = psycopg2.connect  # noqa: TID251  # dbt's own, wrapped

    def guarded(*args: Any, **options: Any) -> Any:
        connection: Any = connect(*args, **options | {"application_name": application_name})
        connection.autocommit = True  # a rolled back set_config would be undone
        try:
            with connection.cursor() as cursor:
                cursor.execute(SET_LIMITS, [json.dumps(limits)])
        except psycopg2.Error as error:
            print(f"no limits on this connection: {error}", file=sys.stderr)  # noqa: T201
        connection.autocommit = False
        return connection

    psycopg2.connect = guarded  # noqa: TID251


def write_json_in_one_piece() -> None:
    """Have dbt write its artifacts as text that C code has encoded, a tenth of the time.

    ``json.dump`` goes through Python for each value; a manifest has half a million.
    """

    def dump(value: Any, file: Any, **options: Any) -> None:
        file.write(json.dumps(value, **options))

    json.dump = dump


def write_manifest_once() -> None:
    """Keep dbt from writing the manifest again when nodes have run: nobody reads their compiled code."""
    from dbt.task import runnable  # noqa: PLC0415

    def leave_it(*_: Any) -> None:
        pass

    setattr(runnable, "write_manifest", leave_it)  # noqa: B010  # dbt's own name for it


def tell(emit: Callable[..., None], message: Any) -> None:
    """Pass on what a reader wants to see: nodes, and lines from level info upwards."""
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415  # comes with dbt

    info = message.info
    if info.name in {"NodeStart", "NodeFinished"}:
        data = MessageToDict(message.data, preserving_proto_field_name=True)
        kind = "start" if info.name == "NodeStart" else "end"
        emit(kind, node=data["node_info"], result=data.get("run_result", {}))
    elif info.level != "debug" and info.msg.strip():
        emit("log", name=info.name, level=info.level, message=info.msg)


def load_dbt() -> type[Any]:
    """The entry point of dbt, imported without collecting garbage and compiling unused serialisers."""
    from mashumaro.config import BaseConfig  # noqa: PLC0415

    gc.disable()
    BaseConfig.lazy_compilation = True
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    gc.freeze()
    return dbtRunner


def invoke(emit: Callable[..., None], request: dict[str, Any]) -> None:
    """Run the request's command to its end and say how it ended."""
    runner = load_dbt()
    guard_connections(request["application_name"], request["limits"])
    write_json_in_one_piece()
    if "generate" not in request["argv"]:
        write_manifest_once()
    result = runner(callbacks=[partial(tell, emit)]).invoke(request["argv"])
    error = result.exception
    emit(
        "done",
        success=result.success,
        error=None if error is None else str(error) or type(error).__name__,
        error_type=None if error is None else type(error).__name__,
    )


def main() -> None:
    """Be one child: a leader of its own session, interruptible, gone with its parent."""
    die_with(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # may be inherited as ignored
    emit = events_to(os.dup(sys.stdout.fileno()))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    load_dbt()  # while the flow still prepares the request
    invoke(emit, json.loads(sys.stdin.readline()))


if __name__ == "__main__":
    main()
