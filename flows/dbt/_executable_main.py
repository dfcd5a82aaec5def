"""Run one command of any dbt executable, and report it as `_process_main` does, from its JSON log.

Reads one request (a JSON line) from standard input, and what dbt prints; writes one JSON line per event to
standard output: ``nodes``, ``unmatched``, ``start`` and ``end`` of each node, ``log``, and finally ``done`` with
the exit status. Without ``done``, dbt was killed. Output is bounded, also if dbt prints without end. Started by path.
"""

import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from types import FrameType
from typing import IO, Any

PR_SET_PDEATHSIG = 1
MAX_LINE_BYTES = 1 << 20
TEXT_LINES, INFO_LINES = 100, 5_000
"""Lines that are no JSON, and lines of level info, of which so many are passed on."""
TAIL = 20
DRAIN_SECONDS = 2.0
"""After the end of dbt, for what a process that it left behind keeps open."""
STATUSES = frozenset({0, 1, 2})
"""What dbt exits with; another status is that of a shell or an interpreter that was killed."""
NODE_STATUSES = frozenset({"pass", "fail", "warn", "error", "skipped", "success", "runtime error"})
BY_LEVEL = {"info": "success", "warn": "warn", "error": "error"}
Emit = Callable[..., None]


def end_with_parent(parent: int) -> None:
    """Let the whole process group be killed when the process of the flow ends."""
    signal.signal(signal.SIGTERM, _kill_group)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # the parent ended before the line above
        os._exit(1)


def _kill_group(_number: int, _frame: FrameType | None) -> None:
    os.killpg(0, signal.SIGKILL)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Leave the signal to dbt: unlike an ignored one, it is not inherited."""


def emitter(descriptor: int) -> Emit:
    """Return a function that writes one event as a line."""

    def emit(event: str, **fields: object) -> None:
        line = json.dumps({"event": event, **fields}, default=str).encode() + b"\n"
        while line:
            line = line[os.write(descriptor, line) :]

    return emit


class Lines:
    """Split what a pipe delivers into lines; a line without end is cut."""

    def __init__(self) -> None:
        self._unfinished = b""

    def of(self, chunk: bytes) -> Iterator[str]:
        """Yield the complete lines."""
        *lines, self._unfinished = (self._unfinished + chunk).split(b"\n")
        if not chunk or len(self._unfinished) > MAX_LINE_BYTES:
            lines, self._unfinished = [*lines, self._unfinished], b""
        for line in lines:
            yield line[:MAX_LINE_BYTES].decode(errors="replace")


class LogReader:
    """Translate the log of dbt into events.

    Attributes:
        invocations: Ids of the invocations that wrote it.
        last_error: The last line of level error.
        text: The last lines that were no JSON.
    """

    def __init__(self, emit: Emit, node_lines: int) -> None:
        self._emit = emit
        self._node_lines = node_lines
        self._summarized = False
        self._counts = {"text": 0, "info": 0}
        self.invocations: set[str] = set()
        self.last_error = ""
        self.text: deque[str] = deque(maxlen=TAIL)

    def line(self, line: str) -> None:
        """Handle a line of dbt."""
        record = _record(line)
        if record is None:
            if line.strip():
                self.text.append(line.rstrip())
                self._log("text", "info", line.strip()[:2000], "text", TEXT_LINES)
            return
        info, data = record["info"], record.get("data") or {}
        self.invocations.add(str(info.get("invocation_id")))
        self._about_run(str(info.get("name")), data)
        node = data.get("node_info")
        if isinstance(node, dict) and node.get("unique_id"):
            self._about_node(info, _named(node), data)
        self._about_log(info, is_about_node=bool(node))

    def _about_run(self, name: str, data: dict[str, Any]) -> None:
        if name == "ConcurrencyLine" and str(data.get("node_count", "")).isdecimal():
            count = int(data["node_count"])
            self._summarized = count > self._node_lines
            self._emit("nodes", count=count, summarized=self._summarized)
        if name == "NoNodesForSelectionCriteria":
            self._emit("unmatched", criterion=str(data.get("spec_raw")))

    def _about_node(self, info: dict[str, Any], node: dict[str, Any], data: dict[str, Any]) -> None:
        name = str(info.get("name"))
        if name in {"LogStartLine", "SkippingDetails"}:
            self._emit("start", node=node)
        if name == "SkippingDetails" or (name.startswith("Log") and name.endswith("Result")):
            usual = "skipped" if name == "SkippingDetails" else BY_LEVEL.get(info.get("level", ""))
            status = str(data.get("status"))
            known = status if status in NODE_STATUSES else usual or "error"
            seconds = data.get("execution_time")
            result = {"execution_time": seconds if isinstance(seconds, int | float) else 0}
            self._emit("end", node={**node, "node_status": known}, result=result)

    def _about_log(self, info: dict[str, Any], *, is_about_node: bool) -> None:
        level, message = str(info.get("level")), str(info.get("msg") or "")
        if level == "error" and message.strip():
            self.last_error = message.strip()
        if level == "debug" or not message.strip() or (is_about_node and self._summarized):
            return
        limit = INFO_LINES if level == "info" else sys.maxsize
        self._log(str(info.get("name")), level, message, "info", limit)

    def _log(self, name: str, level: str, message: str, kind: str, limit: int) -> None:
        self._counts[kind] += level == "info"
        if self._counts[kind] <= limit:
            self._emit("log", name=name, level=level, message=message)
        elif self._counts[kind] == limit + 1 and level == "info":
            self._emit("log", name=name, level="warn", message="dbt prints more than is shown")

    def error(self, status: int) -> str:
        """Return why dbt exited with this status."""
        text = "\n".join(self.text)
        usage = text.rpartition("Error: ")[2] if "Usage: " in text else ""
        reason = usage or self.last_error.removeprefix("Encountered an error:").strip() or text
        return reason.strip() or f"dbt exited with status {status}"

    @property
    def is_usage_error(self) -> bool:
        """Whether dbt refused an option."""
        return any(line.startswith("Usage: ") for line in self.text)


def _named(node: dict[str, Any]) -> dict[str, Any]:
    """Return a node with the fields that its task run needs."""
    unique_id = str(node["unique_id"])
    usual = {"node_name": unique_id, "resource_type": unique_id.partition(".")[0]}
    relation = node.get("node_relation")
    relations = {"node_relation": relation if isinstance(relation, dict) else {}}
    return {**usual, **{name: value for name, value in node.items() if value}, **relations}


def _record(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    info = record.get("info") if isinstance(record, dict) else None
    return record if isinstance(info, dict) and isinstance(record.get("data", {}), dict) else None


def read_output(process: subprocess.Popen[bytes], reader: LogReader) -> int:
    """Read all that dbt prints; return its exit status."""
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            selector.register(_pipe(stream), selectors.EVENT_READ, Lines())
        while selector.get_map():
            ready = selector.select(DRAIN_SECONDS)
            if not ready and process.poll() is not None:
                break
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                for line in key.data.of(chunk):
                    reader.line(line)
                if not chunk:
                    selector.unregister(key.fileobj)
    return process.wait()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101  # it was requested
    return stream


def run(emit: Emit, request: dict[str, Any]) -> int:
    """Run the command of the request and report its result; return the exit status of this process."""
    reader = LogReader(emit, request["node_lines"])
    with subprocess.Popen(
        [request["executable"], *request["argv"]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        status = read_output(process, reader)
    if status not in STATUSES:
        print("\n".join(reader.text), file=sys.stderr, flush=True)  # noqa: T201  # the reason of the crash
        return status
    error = reader.error(status) if status == max(STATUSES) else None
    emit(
        "done",
        success=status == 0,
        error=error,
        error_type="DbtUsageException" if error and reader.is_usage_error else None,
        exit_status=status,
        last_error=reader.error(status),
        invocations=sorted(reader.invocations),
    )
    return 0


def main() -> None:
    """Run one request as a process that leaves being interrupted to dbt."""
    end_with_parent(int(sys.argv[1]))
    emit = emitter(os.dup(sys.stdout.fileno()))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    signal.signal(signal.SIGINT, _ignore)  # dbt, in the same group, gets it, too
    status = run(emit, json.loads(sys.stdin.readline()))
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
