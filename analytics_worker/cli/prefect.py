"""``.venv/bin/prefect``: Prefect's own command, connected to the stack that runs in this checkout.

The command that Prefect installs knows an address only in a folder with settings, and starts a server
of its own elsewhere. Writes nothing itself; an address, a login or a profile that the user chose is kept.
"""

import os
import sys
from typing import Any, NoReturn, cast

from analytics_worker.cli.shell import DEBUG, exit_on_error, refuse_copied_script
from analytics_worker.cli.stack_env import use_running_stack
from analytics_worker.errors import PermanentError
from analytics_worker.stack.environment import database_variables

WITHOUT_SERVER = frozenset({"cloud", "config", "dev", "init", "profile", "server", "version"})
"""Commands that need no server, or start one."""


_DEPLOYMENT_COMMANDS = frozenset({"run", "inspect", "delete"})


def main() -> None:
    """Entry point of the console script."""
    debug = DEBUG in sys.argv[1:]
    with exit_on_error(debug=debug):
        refuse_copied_script()
        words = sys.argv[1:] = [word for word in sys.argv[1:] if word != DEBUG]
        if not any(word in {"-p", "--profile"} for word in words[:1]):
            use_running_stack()
            if words[:1] == ["server"]:
                _use_server_database()
            if _needs_server(words):
                _check_server()
        sys.exit(_run(words))


def _use_server_database() -> None:
    """Name the database as `analytics-worker server` does, which accepts URLs of other drivers."""
    os.environ.update(database_variables(os.environ))  # noqa: TID251  # Prefect reads its variables there


def _run(words: list[str]) -> None:
    """Run Prefect's command; its errors that have no message of its own are raised."""
    name = _named_deployment(words)
    if name and name.count("/") != 1:
        raise PermanentError(f"{name!r} is not a valid deployment name{_similar(name)}")
    _replace_errors(name)
    from prefect.cli import app  # noqa: PLC0415  # Prefect reads the address that was chosen

    app()


def _replace_errors(name: str | None) -> None:
    """Let the shell report errors, where Prefect prints tracebacks, and suggest a deployment.

    Prefect's commands take both functions when they are imported, which is when they run.
    """
    from prefect.cli import _utilities  # noqa: PLC0415  # as above

    exit_with_error = _utilities.exit_with_error

    def exit_with_suggestion(message: object, *arguments: Any, **options: Any) -> NoReturn:
        is_missing = name and str(message).endswith("not found!")
        text = f"{str(message)[:-1]}{_similar(name)}" if name and is_missing else message
        exit_with_error(cast("str", text), *arguments, **options)

    _utilities.exit_with_error = exit_with_suggestion
    _utilities.with_cli_exception_handling = lambda fn: fn


def _named_deployment(words: list[str]) -> str | None:
    """Return the name of a deployment among the words, where Prefect expects one."""
    if words[:1] not in (["deployment"], ["deployments"]) or len(words) < 3:  # noqa: PLR2004
        return None
    takes_name = words[1] in _DEPLOYMENT_COMMANDS and not words[2].startswith("-")
    return words[2] if takes_name else None


def _similar(name: str) -> str:
    """Return the deployment of prefect.yaml that was probably meant; empty if that one is named."""
    from analytics_worker.prefect_support.deployments import suggested_deployment  # noqa: PLC0415

    return suggested_deployment(name)


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
