"""Note what is missing from the lineage.

Reads nothing; writes only to the graph.
"""

from collections.abc import Generator
from contextlib import contextmanager

from pydantic import ValidationError

from analytics_worker.errors import PermanentError
from analytics_worker.lineage.graph import Lineage
from analytics_worker.text import one_line


@contextmanager
def problems_of(lineage: Lineage, name: str) -> Generator[None]:
    """Note a definition that is not valid, or SQL that can't be planned, as a problem of the graph."""
    try:
        yield
    except (PermanentError, ValidationError) as error:
        lineage.problems.append(f"{name}: {one_line(str(error))}")
