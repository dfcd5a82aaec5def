"""Check a JSON schema once: Prefect checks that of the work pool twice for each run that is created, 4 ms each time.

Reads and writes nothing.
"""

import json
from hashlib import sha256
from typing import Any

from prefect.utilities.schema_tools import validation

MOST = 256
"""Schemas that are remembered; a server has one for each pool, and one for each deployment with parameters."""


class CheckedSchemas:
    """The schemas that were valid, by the hash of their content."""

    def __init__(self) -> None:
        """Keep the function that checks."""
        self._check = _validator().check_schema
        self._valid: set[bytes] = set()

    def check(self, schema: Any, *options: Any, **named: Any) -> None:
        """Check a schema that was not checked before with these options.

        Raises:
            jsonschema.SchemaError: it is not valid.
        """
        content = f"{json.dumps(schema, default=repr)} {options} {named}"
        key = sha256(content.encode(errors="backslashreplace")).digest()  # a schema may be large
        if key in self._valid:
            return
        self._check(schema, *options, **named)
        if len(self._valid) >= MOST:
            self._valid.clear()
        self._valid.add(key)


def check_schemas_once() -> None:
    """Let this process check a schema once."""
    _validator().check_schema = CheckedSchemas().check


def _validator() -> Any:
    """Return Prefect's class of validators, which is private."""
    return validation._VALIDATOR  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
