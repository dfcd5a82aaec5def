"""How many cores one refresh may use while others run beside it.

Reads the number of this host's cores; writes nothing.
"""

import os

from sqlalchemy import Connection

from flows.analytics._psycopg import driver_connection

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def query_workers(connection: Connection, side_by_side: int) -> int | None:
    """Parallel workers that each of so many queries may have; None where the server decides.

    Once all cores are in use, what a parallel query gains it takes from the queries beside it, and
    pays for the exchange between its workers. Only of a server on this host the cores are known.
    """
    host = driver_connection(connection).info.host or ""
    if side_by_side == 1 or not (host.startswith("/") or host in LOOPBACK):
        return None
    return max(0, (os.cpu_count() or 1) // side_by_side - 1)
