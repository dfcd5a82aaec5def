"""Find out from the source of a file whether it defines a flow, without importing it.

Importing a module executes it, so a caller of the API must not choose a module that only helps, tests
or measures. Reads the file; writes nothing.
"""

import ast
from functools import lru_cache
from pathlib import Path

MAX_FILE_BYTES = 2_000_000
CACHED_FILES = 512
FLOW = "flow"
COPY = "with_options"
"""A function that creates a flow from another one."""


class NoFlowError(Exception):
    """A file does not define that flow; the message names what is expected."""


def check_defines_flow(file: Path, name: str) -> None:
    """Accept a function with a decorator that is named ``…flow``, or ``name = flow(…)``.

    Raises:
        NoFlowError: it defines no such flow at its top level.
    """
    status = file.stat()
    if status.st_size > MAX_FILE_BYTES:
        raise NoFlowError(f"the file is larger than {MAX_FILE_BYTES:,} bytes")
    if name not in _flows(file, status.st_mtime_ns, status.st_size):
        raise NoFlowError(
            "the file defines no flow of that name; expected a function with @flow,"
            " or a name = flow(...), at the top level"
        )


@lru_cache(maxsize=CACHED_FILES)
def _flows(file: Path, _changed: int, _size: int) -> frozenset[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise NoFlowError(f"line {error.lineno} is not valid Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise NoFlowError("the file is not valid Python") from None
    return frozenset(name for node in tree.body for name in _flow_names(node))


def _flow_names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name] if any(map(_makes_flow, node.decorator_list)) else []
    if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        return names if _makes_flow(node.value) else []
    return []


def _makes_flow(node: ast.expr) -> bool:
    """Whether it is ``flow``, ``prefect.flow``, ``team_flow(…)`` or ``other.with_options(…)``."""
    while isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Name):
        return node.id.lower().endswith(FLOW)
    return isinstance(node, ast.Attribute) and (
        node.attr.lower().endswith(FLOW) or node.attr == COPY
    )
