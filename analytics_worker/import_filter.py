"""Keep a module out of memory that Prefect loads and never uses: 15 MB and 0.3 s in every process.

jsonschema, which Prefect imports, checks the format of IRIs with `rfc3987_syntax`, if that is installed. Its
grammar is compiled when it is imported. No schema of Prefect has that format. An import by other code loads
the module as usual. Changes ``sys.meta_path``.
"""

import sys
from collections.abc import Sequence
from typing import Any

IRI_GRAMMAR = "rfc3987_syntax"
OPTIONAL_USER = "jsonschema._format"


class _Filter:
    """A finder of modules that finds none."""

    @staticmethod
    def find_spec(fullname: str, _path: Sequence[str] | None, _target: Any = None) -> None:
        """Let the import system look on, unless the module is the grammar and jsonschema asks."""
        if fullname == IRI_GRAMMAR and _is_loading(OPTIONAL_USER):
            raise ModuleNotFoundError(f"{fullname} is not needed", name=fullname)


def _is_loading(module: str) -> bool:
    spec = getattr(sys.modules.get(module), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))


def skip_iri_grammar() -> None:
    """Let jsonschema take the module for missing, which is optional for it. Safe to repeat."""
    if _Filter not in sys.meta_path:
        sys.meta_path.insert(0, _Filter)
