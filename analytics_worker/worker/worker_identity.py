"""Give a worker an identity that no other worker has, and say whose runs it may judge.

Two hosts can have one name, and copies of a machine or an image also have copies of its state folder. So
the identity is a random id in the lock file of the worker's name, valid in one place only: one boot, one
namespace of pids, one file. Anywhere else the worker takes a new id and notes the former one. Reads and
writes the lock files of the state folder. Safe to repeat: in the same place the id stays.
"""

import json
import secrets
from dataclasses import asdict, dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, Self

from analytics_worker.json_lines import identify
from analytics_worker.process_identity import NameLock, Place

WORKER_LABEL = "analytics-worker.worker"
"""The label of a run that holds the id of the worker that claimed it."""
MAX_FORMER = 20
MAX_WORKERS = 100
NAME_DIGITS = 8


class Claimant(Enum):
    """The worker that claimed a run, as seen from a state folder."""

    ENDED = auto()
    """It ran in this place and has ended; the notes about its processes are valid."""
    FORMER = auto()
    """It used this folder, or the original of it, in another place: only the server knows more."""
    FOREIGN = auto()
    """It lives, or is none of this folder."""


@dataclass(frozen=True)
class Identity:
    """What the lock file of a worker's name holds."""

    id: str
    place: Place
    former: tuple[str, ...] = ()

    @classmethod
    def read(cls, lock: NameLock) -> Self | None:
        """Read the file of an acquired lock; None if it holds no valid identity."""
        try:
            content: dict[str, Any] = json.loads(lock.read())
            return cls(str(content["id"]), Place(**content["place"]), tuple(content["former"]))
        except (ValueError, LookupError, TypeError):
            return None

    @classmethod
    def take(cls, lock: NameLock) -> Self:
        """Return the identity of a worker that has acquired the lock; a new one in a new place."""
        known, place = cls.read(lock), lock.place
        if known is not None and known.place == place:
            return known
        former = (known.id, *known.former)[:MAX_FORMER] if known else ()
        taken = cls(secrets.token_hex(16), place, former)
        lock.write(json.dumps(asdict(taken)))
        return taken

    def claimant(self, worker_id: str, place: Place) -> Claimant:
        """Return who the worker of that id was, if no worker has this identity's lock now."""
        if worker_id == self.id and self.place == place:
            return Claimant.ENDED
        return Claimant.FORMER if worker_id in {self.id, *self.former} else Claimant.FOREIGN


class WorkerNameError(Exception):
    """Too many workers run on this host under one name."""


def acquire_name(folder: Path, name: str) -> NameLock:
    """Return the lock of the first free name of ``name``, ``name-2`` and so on.

    Raises:
        WorkerNameError: none is free.
    """
    names = [name, *(f"{name}-{n}" for n in range(2, MAX_WORKERS))]
    for each in names:
        lock = NameLock(folder / f"{each}.lock")
        if lock.acquire():
            return lock
    raise WorkerNameError(f"{MAX_WORKERS} workers run as {name} already")


class WorkerIdentity:
    """The identity of one worker process, from a lock that it has acquired."""

    def __init__(self, lock: NameLock) -> None:
        """Take the identity that belongs to the lock."""
        self._identity = Identity.take(lock)
        self._folder = lock.path.parent
        self._lock_name = lock.path.name
        self.id = self._identity.id
        self.name = f"{lock.path.stem}-{self.id[:NAME_DIGITS]}"
        identify(worker_name=self.name)  # in its log lines

    def claimant(self, worker_id: str) -> Claimant:
        """Return who claimed the runs with that id: our own former self is one that has ended."""
        own = self._identity.claimant(worker_id, self._identity.place)
        if own is not Claimant.FOREIGN:
            return own
        return claimant_in(self._folder, worker_id, besides=self._lock_name)


def claimant_in(folder: Path, worker_id: str, besides: str = "") -> Claimant:
    """Return who claimed the runs with that id, from the lock files that no worker holds.

    The id is a label, which any client of the API can write: it never becomes a path.
    """
    if not worker_id:
        return Claimant.FOREIGN
    found = [_claimant(path, worker_id) for path in folder.glob("*.lock") if path.name != besides]
    return min(found, key=lambda claimant: claimant.value, default=Claimant.FOREIGN)


def _claimant(path: Path, worker_id: str) -> Claimant:
    lock = NameLock(path)
    if not lock.acquire():
        return Claimant.FOREIGN
    try:
        identity = Identity.read(lock)
        return identity.claimant(worker_id, lock.place) if identity else Claimant.FOREIGN
    finally:
        lock.release()
