"""Limit the parallel workers of one refresh while other refreshes run concurrently.

Reads the number of this host's cores; writes nothing.
"""

import os

from sqlalchemy import Connection

from flows.analytics._psycopg import driver_connection

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def query_workers(connection: Connection, concurrency: int) -> int | None:
    """Return the parallel workers per query at this concurrency; None if the server decides.

    Once all cores are in use, a parallel query only slows down the others and pays for the exchange
    between its workers. The number of cores is known only for a server on this host.
    """
    host = driver_connection(connection).info.host or ""
    if concurrency == 1 or not (host.startswith("/") or host in LOOPBACK):
        return None
    return max(0, (os.cpu_count() or 1) // concurrency - 1)
