"""Read ``.env`` and name what is wrong in it, in one line that has the line of the file and the fix.

Reads that file only. What a reader would skip or misread (a quote without its end, a line without ``=``)
is refused: the line that is skipped may be the one with the password.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from analytics_worker.settings.validation_messages import InvalidSettingError

ENCODING = "utf-8-sig"  # editors of Windows write a byte order mark
EXPECTED = "expected NAME=value, with both quotes or none"
ALIKE = 0.8
"""The similarity from which an unknown variable is taken for a misspelled one."""
ALIKE_IN_FAMILY = 0.6
FOREIGN_FAMILIES = frozenset({"DBT", "PREFECT", "PG"})
"""Their variables are others' to define; a misspelled one is not recognized."""


class EnvFileError(InvalidSettingError):
    """``.env`` can't be read as it was meant."""


def env_values(path: Path) -> dict[str, str]:
    """Return the variables of the file; empty if there is none.

    Raises:
        EnvFileError: it can't be read as it was meant; the message names the line.
    """
    text = _text(path)
    for binding in parse_stream(StringIO(text)):
        problem = _problem(binding)
        if problem:
            raise EnvFileError(f"{path}:{_line(binding)}: {problem}; {EXPECTED}")
    values = dotenv_values(stream=StringIO(text))
    return {name: value for name, value in values.items() if value is not None}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding=ENCODING) if path.exists() else ""
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise EnvFileError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        raise EnvFileError(f"{path} can't be read: {error.strerror}") from None


def _problem(binding: Binding) -> str | None:
    if binding.error:
        return "the line is not complete" if _is_quoted(binding) else "the line is not valid"
    if binding.key is None:  # an empty line or a comment
        return None
    if "\0" in f"{binding.key}{binding.value}":
        return f"{binding.key.replace(chr(0), '')!a} contains a NUL character"
    return f"{binding.key[:80]!a} has no value" if binding.value is None else None


def _is_quoted(binding: Binding) -> bool:
    return bool(re.search(r"""=\s*["']""", binding.original.string))


def _line(binding: Binding) -> int:
    """Return the line of the assignment, below the empty lines that belong to it."""
    original = binding.original.string
    blank = original[: len(original) - len(original.lstrip())]
    return binding.original.line + blank.count("\n")


def unknown_variables(names: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """Yield a line for each unknown variable that looks like a setting of the worker.

    Foreign variables, which resemble none, may be in the file for other programs.
    """
    settings = {name.upper() for name in known}
    families = {name.partition("_")[0] for name in settings}
    for name in names:
        upper = name.upper()
        family = upper.partition("_")[0]
        if upper in settings or family in FOREIGN_FAMILIES:
            continue
        cutoff = ALIKE_IN_FAMILY if family in families else ALIKE
        close = difflib.get_close_matches(upper, sorted(settings), n=1, cutoff=cutoff)
        if close:
            yield f"{name} is not a variable of the worker; did you mean {close[0]}?"
        elif family in families:
            yield f"{name} is not a variable of the worker (docs/settings.md)"
