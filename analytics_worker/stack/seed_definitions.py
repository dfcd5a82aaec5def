"""Load the definition files into the sample warehouse once its views exist.

Writes what the given functions write; the stack itself does not depend on rules and reports. Safe to
repeat: a second time changes nothing. A mistake in a file is shown and stops nothing.
"""

from collections.abc import Awaitable, Callable, Mapping

from analytics_worker.errors import PermanentError
from analytics_worker.stack.task_process import name_of
from analytics_worker.stack.terminal import Terminal

Definitions = Mapping[str, Callable[[], str]]
"""Functions by the name of what is defined; each loads it and returns one line about the changes."""
Call = Callable[[str], Awaitable[str]]


async def load_definitions(definitions: Definitions, terminal: Terminal, call: Call) -> None:
    """Take all of them, one after another, in the process that calls them."""
    for name, definition in definitions.items():
        try:
            with terminal.doing(name, f"definitions of {name}"):
                line = await call(name_of(definition))
        except PermanentError as error:
            terminal.step(name, f"not loaded: {error}", "failed")
        else:
            terminal.step(name, line)
