"""Offer the Python API: queue a flow on its work pool and follow the run.

``from analytics_worker import submit``. Importing the package imports nothing large; a name is loaded
when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from analytics_worker.import_filter import skip_iri_grammar

if TYPE_CHECKING:
    from analytics_worker.prefect_support.results import RunFailed
    from analytics_worker.prefect_support.runs import Run, SubmitError, find, submit
    from analytics_worker.prefect_support.stack_access import ApiUnavailableError

__all__ = ["ApiUnavailableError", "Run", "RunFailed", "SubmitError", "find", "submit"]

skip_iri_grammar()


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("analytics_worker.prefect_support.runs"), name)
