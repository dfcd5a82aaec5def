"""The one shell around every command: an error is one line and an exit code, never a traceback.

Writes to standard error only. ``--debug`` anywhere among the arguments shows the traceback of an error.
Codes: 1 error, or the reader of the output ended (no line then), 2 wrong arguments, 130 Ctrl-C.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from analytics_worker.definitions.yaml_definitions import DefinitionError
from analytics_worker.text import one_line, printable

DEBUG = "--debug"
WRONG_ARGUMENTS = 2
INTERRUPTED = 128 + signal.SIGINT
GRACE_SECONDS = 2.0


class Shell(TyperGroup):
    """A command with commands of its own whose errors are one line each."""

    @override
    def main(self, args: Sequence[str] | None = None, *positional: Any, **options: Any) -> Any:
        """Run the command that the arguments name, and exit with its code."""
        words = list(sys.argv[1:] if args is None else args)
        with exit_on_error(debug=DEBUG in words):
            words = [_checked(word) for word in words if word != DEBUG]
            options["standalone_mode"] = False
            code = super().main(words, *positional, **options)
        sys.exit(code if isinstance(code, int) else 0)


def _checked(word: str) -> str:
    """Return an argument of the command line; bytes that are no text would fail wherever it is used."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise typer.BadParameter(f"{word!r} is not UTF-8") from None
    return word


@contextmanager
def exit_on_error(*, debug: bool = False) -> Generator[None]:
    """End the process with one line about the error; output that can't be written is one."""
    _open_closed_streams()
    try:
        with _flushed_output():
            yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of the output ended
        sys.exit(1)
    except Exception as error:  # noqa: BLE001  # the shell: every error ends here
        if debug:
            traceback.print_exception(error)
        sys.exit(_report(error))


def _open_closed_streams() -> None:
    """Discard the output of a process that was started without (``>&-``).

    Python has no streams then, and the first file or connection would get the descriptor, and the output.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode)  # noqa: SIM115  # until the process ends
            os.set_inheritable(stream.fileno(), True)  # as streams are
            setattr(sys, name, stream)


@contextmanager
def _flushed_output() -> Generator[None]:
    """Write the output now: Python would do it when it exits, where an error is a traceback."""
    try:
        yield
    except Exception:
        with suppress(OSError):
            _flush()
        raise
    except BaseException:
        _flush()
        raise
    _flush()


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  # for what is left
        raise


def refuse_copied_script() -> None:
    """Refuse a script of a copied folder, whose first line starts the Python and the code of the other folder."""
    environment = Path(sys.argv[0]).resolve().parent.parent
    if environment.name == ".venv" and environment != Path(sys.prefix).resolve():
        from analytics_worker.errors import PermanentError  # noqa: PLC0415  # --help answers at once

        folder, other = environment.parent, Path(sys.prefix).parent
        raise PermanentError(
            f"{folder} was moved or copied, and its .venv is of {other}, whose stack this would use:"
            f" run `make up` in {folder}, which makes one of its own"
        )


def _report(error: Exception) -> int:
    """Print the error; the exit code."""
    usage = getattr(error, "format_message", None)  # of click, which typer vendors
    if usage is not None:
        return _report_usage(error, usage())
    if isinstance(error, typer.Abort):
        return INTERRUPTED
    from analytics_worker.cli.errors import error_message  # noqa: PLC0415  # --help answers at once

    message = printable(error_message(error))
    prefix = "" if isinstance(error, DefinitionError) else "error: "  # those start with file:line
    typer.secho(f"{prefix}{message}", err=True, fg="red")
    return 1


def _report_usage(error: Any, message: str) -> int:
    if not message:  # no command was named, and the help was printed
        return WRONG_ARGUMENTS
    context = getattr(error, "ctx", None)
    where = f" `{context.command_path} --help` shows what it takes." if context else ""
    text = one_line(message)
    end = "" if text.endswith((".", "?")) else "."
    typer.secho(f"error: {text}{end}{where}", err=True, fg="red")
    return WRONG_ARGUMENTS


def end_on_interrupt() -> None:
    """Let Ctrl-C end a process whose main thread waits in a library, for a database for example.

    Python notifies the main thread of a signal when the library returns. Call in the main thread.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_end_on_interrupt, args=(reading,), daemon=True).start()


def _end_on_interrupt(signals: int) -> None:
    while signal.SIGINT not in os.read(signals, 1):
        pass
    threading.Event().wait(GRACE_SECONDS)  # the time to end in order
    os._exit(INTERRUPTED)
