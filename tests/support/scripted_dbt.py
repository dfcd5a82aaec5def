"""A program in the place of dbt that reports what a test has written, without the seconds of dbt."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROGRAM = """
import json, sys
from pathlib import Path

folder = Path(__file__).parent
argv = json.loads(sys.stdin.readline())["argv"]
calls = len(list(folder.glob("call-*")))
(folder / f"call-{calls}").write_text(json.dumps(argv))
answer = json.loads((folder / f"answer-{calls}").read_text())
target = Path(argv[argv.index("--target-path") + 1])
for event in answer["events"]:
    print(json.dumps(event), flush=True)
for name, text in answer["files"].items():
    (target / name).write_text(text)
if answer["ends"]:
    print(json.dumps({"event": "done", "error": answer["error"]}), flush=True)
"""


class ScriptedDbt:
    """Answers of dbt, one for each process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._answers = 0
        self.program = folder / "program.py"
        self.program.write_text(PROGRAM)

    def answers(
        self,
        *nodes: dict[str, Any],
        error: str | None = None,
        files: dict[str, str] | None = None,
        ends: bool = True,
    ) -> None:
        """Let the next process report these nodes."""
        answer = {"events": nodes, "files": files or {}, "error": error, "ends": ends}
        (self._folder / f"answer-{self._answers}").write_text(json.dumps(answer))
        self._answers += 1

    @property
    def calls(self) -> Sequence[list[str]]:
        """The arguments of each process."""
        return [json.loads(path.read_text()) for path in sorted(self._folder.glob("call-*"))]


def ended(name: str, status: str = "success", message: str = "", kind: str = "model") -> Any:
    """The event that a node has ended."""
    node = {"unique_id": f"{kind}.tiny.{name}", "node_status": status}
    return {"event": "end", "node": node, "result": {"status": status, "message": message}}


def manifest(*names: str, schema: str = "analytics", database: str = "", **groups: Any) -> str:
    """The manifest of a project with these models."""
    nodes = {
        f"model.tiny.{name}": {
            "resource_type": "model",
            "name": name,
            "alias": name,
            "schema": schema,
            "database": database,
            "fqn": ["tiny", name],
            "config": {"materialized": "table"},
        }
        for name in names
    }
    return json.dumps({"metadata": {"project_name": "tiny"}, "nodes": nodes, **groups})
