"""Keep Prefect from importing whatever module the data of a run's state names.

Prefect's model of a state imports the pickle or compression library that its data names, to check it,
wherever the state is read: in a worker, a flow that counts runs, a command. Whoever may call the API
writes that name. Changes Prefect's two checks in this process; doing it twice changes nothing more.
"""

from collections.abc import Callable

from prefect import serializers

PICKLE = frozenset({"cloudpickle", "pickle", "dill"})
COMPRESSION = frozenset({"lzma", "bz2", "gzip", "zlib"})
Check = Callable[[str], str]


def keep_state_data_inert() -> None:
    """Check only libraries that are known; any other is left alone until somebody reads the result."""
    for name, known in (("validate_picklelib", PICKLE), ("validate_compressionlib", COMPRESSION)):
        check: Check = getattr(serializers, name)
        if not hasattr(check, "known"):
            setattr(serializers, name, _only(known, check))


def _only(known: frozenset[str], check: Check) -> Check:
    def of_known(value: str) -> str:
        return check(value) if value in known else value

    vars(of_known)["known"] = known
    return of_known
