"""The other side of `analytics_worker.stack.task_process`: ``python -m analytics_worker.stack.task_server DESCRIBE MODULE ...``.

Reads requests from standard input and writes replies to standard output, a JSON object a line; what functions
print goes to standard error, as LOG_FORMAT says. DESCRIBE is the ``module:function`` that describes an error in one
line. Writes what the functions write; ends with its input.
"""

import asyncio
import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, TextIO

from analytics_worker.errors import PermanentError
from analytics_worker.log_format import use_log_format
from analytics_worker.settings import settings
from analytics_worker.stack.errors import StackError

DEBUG = "--debug"


class TaskServer:
    """Call what is requested, until there are no more requests."""

    def __init__(self, replies: TextIO, describe: str) -> None:
        self._replies, self._describe = replies, describe

    def serve(self, requests: TextIO) -> None:
        """Reply to each request."""
        for line in requests:
            self._reply(**self._answer(json.loads(line)))

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"result": self._call(request["function"], request["arguments"])}
        except StackError as error:
            return {"error": str(error), "kind": "StackError"}
        except PermanentError as error:
            return {"error": str(error), "kind": "PermanentError"}
        except Exception as error:  # noqa: BLE001  # the supervisor names it and stops
            if DEBUG in sys.argv:
                traceback.print_exc()
            return {"error": _function(self._describe)(error), "kind": "StackError"}

    def _call(self, name: str, arguments: dict[str, Any]) -> Any:
        settings.cache_clear()  # the supervisor writes the stack's variables while this process imports
        called = _function(name)
        if "progress" in inspect.signature(called).parameters:
            arguments = {**arguments, "progress": self._progress}
        result = called(**arguments)
        return asyncio.run(result) if inspect.iscoroutine(result) else result

    def _progress(self, text: str) -> None:
        self._reply(progress=text)

    def _reply(self, **reply: Any) -> None:
        self._replies.write(json.dumps(reply) + "\n")
        self._replies.flush()


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def main() -> None:
    """Keep standard output for replies, import, and serve."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    use_log_format("up")
    describe, *modules = [argument for argument in sys.argv[1:] if argument != DEBUG]
    for module in modules:
        importlib.import_module(module)
    TaskServer(replies, describe).serve(sys.stdin)


if __name__ == "__main__":
    main()
