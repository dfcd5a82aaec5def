"""``.venv/bin/prefect``: Prefect's own command, connected to the stack that runs in this checkout.

The command that Prefect installs knows an address only in a folder with settings, and starts a server
of its own elsewhere. Writes nothing itself; an address, a login or a profile that the user chose is kept.
"""

import sys

from analytics_worker.cli.shell import exit_on_error
from analytics_worker.cli.stack_env import use_running_stack

WITHOUT_SERVER = frozenset({"cloud", "config", "dev", "init", "profile", "server", "version"})
"""Commands that need no server, or start one."""


def main() -> None:
    """Entry point of the console script."""
    with exit_on_error():
        words = sys.argv[1:]
        if not any(word in {"-p", "--profile"} for word in words[:1]):
            use_running_stack()
            if _needs_server(words):
                _check_server()
    from prefect.cli import app  # noqa: PLC0415  # Prefect reads the address that was chosen

    sys.exit(app())


def _needs_server(words: list[str]) -> bool:
    return bool(words) and words[0] not in WITHOUT_SERVER and not _is_help(words)


def _is_help(words: list[str]) -> bool:
    return words[0] in {"-v", "--version"} or "--help" in words


def _check_server() -> None:
    from analytics_worker.prefect_support.stack_access import (  # noqa: PLC0415
        check_server,
        with_stack_access,
    )

    with with_stack_access():
        check_server()
