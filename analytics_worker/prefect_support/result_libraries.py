"""Prevent Prefect from importing arbitrary modules that the data of a run's state names.

Prefect's model of a state imports the pickle or compression library that its data names, to check it,
wherever the state is read: in a worker, a flow that counts runs, a command. Any API caller can set that
name. Replaces Prefect's two checks in this process; safe to repeat.
"""

from collections.abc import Callable

from prefect import serializers

PICKLE_LIBRARIES = frozenset({"cloudpickle", "pickle", "dill"})
COMPRESSION_LIBRARIES = frozenset({"lzma", "bz2", "gzip", "zlib"})
LibraryCheck = Callable[[str], str]


def restrict_result_libraries() -> None:
    """LibraryCheck only known libraries; any other is not imported until the result is read."""
    for name, known in (
        ("validate_picklelib", PICKLE_LIBRARIES),
        ("validate_compressionlib", COMPRESSION_LIBRARIES),
    ):
        check: LibraryCheck = getattr(serializers, name)
        if not hasattr(check, "known"):
            setattr(serializers, name, _check_known(known, check))


def _check_known(known: frozenset[str], check: LibraryCheck) -> LibraryCheck:
    def check_if_known(value: str) -> str:
        return check(value) if value in known else value

    vars(check_if_known)["known"] = known
    return check_if_known
