"""Iterate over all pages of a query of the Prefect API."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

LARGEST_PAGE = 200


def pages(read: Callable[..., Sequence[Any]], size: int = LARGEST_PAGE) -> Iterator[Any]:
    """Yield each item of ``read(limit=…, offset=…)``, one page at a time."""
    offset = 0
    while page := read(limit=size, offset=offset):
        yield from page
        if len(page) < size:
            return
        offset += size
