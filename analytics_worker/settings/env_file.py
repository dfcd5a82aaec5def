"""Read ``.env`` and name what is wrong in it, in one line that has the line of the file and the fix.

Reads that file only. What a reader would skip or misread (a quote without its end, a line without ``=``)
is refused: the line that is skipped may be the one with the password.
"""

import os
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv.parser import Binding, parse_stream
from dotenv.variables import parse_variables
from pydantic_settings import DotEnvSettingsSource
from pydantic_settings.sources.utils import parse_env_vars
from typing_extensions import override

from analytics_worker.settings.validation_messages import InvalidSettingError

ENCODING = "utf-8-sig"  # editors of Windows write a byte order mark
_SINGLE_QUOTED = re.compile(r"\A\s*(?:export\s+)?(?:'[^']+'|[^=#\s]+)\s*=\s*'")
EXPECTED = "expected NAME=value, with both quotes or none"


class EnvFileError(InvalidSettingError):
    """``.env`` can't be read as it was meant."""


def env_values(path: Path) -> dict[str, str]:
    """Return the variables of the file; empty if there is none.

    Raises:
        EnvFileError: it can't be read as it was meant; the message names the line.
    """
    values: dict[str, str] = {}
    for binding in parse_stream(StringIO(_text(path))):
        problem = _problem(binding)
        if problem:
            raise EnvFileError(f"{path}:{_line(binding)}: {problem}; {EXPECTED}")
        if binding.key and binding.value is not None:
            values[binding.key] = _expanded(binding, values)
    return values


class EnvFileSource(DotEnvSettingsSource):
    """The files of the settings, read as `env_values` does."""

    @override
    def _read_env_file(self, file_path: Path) -> Mapping[str, str | None]:
        ignore_empty, none_text = self.env_ignore_empty, self.env_parse_none_str
        return parse_env_vars(env_values(file_path), self.case_sensitive, ignore_empty, none_text)


def _expanded(binding: Binding, values: Mapping[str, str]) -> str:
    """Return the value with ``${NAME}`` replaced, except within single quotes, as in a shell."""
    value = str(binding.value)
    if _SINGLE_QUOTED.search(binding.original.string):
        return value
    known = {**os.environ, **values}  # noqa: TID251  # a value may refer to any variable
    return "".join(part.resolve(known) for part in parse_variables(value))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding=ENCODING) if path.exists() else ""
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise EnvFileError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> EnvFileError:
    """Return the error about a file that exists and can't be read."""
    fix = ": set STATE_DIR to a folder of yours" if path.name == "stack.env" else ""
    return EnvFileError(f"{path} can't be read ({error.strerror}){fix}")


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
