"""Say of an error of the file system which path it is about, how much space is left there, and what to do.

An error of writing to an open file names no path: the code that writes names its folder. Reads the file system and the
settings; writes nothing.
"""

import errno
import os
import pwd
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings

FULL_BYTES = 1_000_000
"""A disk with less free space counts as full, where an error names no path."""
VARIABLES = ("LOG_DIR", "REPORT_OUTPUT_DIR", "DBT_STATE_DIR", "STATE_DIR")
"""Of the folders that the worker writes to; the last one may contain the others."""
SQLITE = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_READONLY: errno.EROFS}


class _Cause(NamedTuple):
    reason: str
    fix: str


_DENIED = _Cause("can't be used: user {user} has no permission", "grant it")
CAUSES = {
    errno.ENOSPC: _Cause("can't be written: no space left, {space}", "free some space there"),
    errno.EDQUOT: _Cause(
        "can't be written: the disk quota of user {user} is used up, {space}",
        "free some space there",
    ),
    errno.EROFS: _Cause("can't be written: its file system is read-only", "mount it for writing"),
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
}


class DiskError(OSError):
    """Something can't be written; the message names the path, the reason and what to do."""

    def __str__(self) -> str:
        return str(self.strerror)


@contextmanager
def named_disk_errors(folder: Path) -> Generator[None]:
    """Let errors of the file system in this block name the path, or this folder.

    Raises:
        DiskError: in place of the error.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        message = disk_problem(error, folder)
        if message is None:
            raise
        raise DiskError(_number(error), message) from error


def disk_problem(error: BaseException, folder: Path | None = None) -> str | None:
    """Return the path, the reason and what to do; None for an error of another kind.

    Args:
        error: Any error.
        folder: What was written to, for errors that name no path.
    """
    if isinstance(error, DiskError):
        return str(error)
    cause = CAUSES.get(_number(error) or 0)
    path = _path(error, folder)
    if path is None and _number(error) == errno.ENOSPC:
        path = _full_folder()
    if cause is None or path is None:
        return None
    reason = cause.reason.format(user=_user(), space=free_space(path))
    other = f", or set {name} to another folder" if (name := _variable(path)) else ""
    return f"{path} {reason}: {cause.fix}{other}"


def free_space(path: Path) -> str:
    """Return how much of the disk is free, and whether it can hold more files."""
    found = _existing(path)
    usage, files = shutil.disk_usage(found), os.statvfs(found)
    space = f"{usage.free / 1e6:,.1f} of {usage.total / 1e6:,.1f} MB are free"
    return f"{space} and no inodes" if files.f_files and not files.f_favail else space


def _number(error: BaseException) -> int | None:
    if isinstance(error, sqlite3.Error):
        return SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return error.errno if isinstance(error, OSError) else None


def _path(error: BaseException, folder: Path | None) -> Path | None:
    """Return the path of the error; the folder, which a user may know, for what is in it."""
    name = error.filename if isinstance(error, OSError) else None
    if not isinstance(name, str) or (folder and Path(name).is_relative_to(folder)):
        return folder
    return Path(name)


def _existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    absolute = path.absolute()
    return next(each for each in (absolute, *absolute.parents) if os.access(each, os.F_OK))


def _full_folder() -> Path | None:
    """Return a folder of the worker whose disk is full."""
    folders = _folders().values()
    return next(
        (each for each in folders if shutil.disk_usage(_existing(each)).free < FULL_BYTES), None
    )


def _variable(path: Path) -> str | None:
    """Return the variable of the folder that the path is in."""
    inside = (name for name, folder in _folders().items() if path.absolute().is_relative_to(folder))
    return next(inside, None)


def _folders() -> dict[str, Path]:
    try:
        chosen = settings()
    except PermanentError:  # what is being reported may be that they are invalid
        return {}
    return {name: getattr(chosen, name.lower()) for name in VARIABLES}


def _user() -> str:
    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # of a container
        return str(number)
