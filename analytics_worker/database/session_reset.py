"""Make a connection as it was before user SQL, so that its pool can keep it.

Ends the transaction of the connection; writes nothing else.
"""

from typing import Any

import psycopg2
from psycopg2 import extensions

from analytics_worker.database.cursor_batches import RESET

_USABLE = {
    extensions.TRANSACTION_STATUS_IDLE,
    extensions.TRANSACTION_STATUS_INTRANS,
    extensions.TRANSACTION_STATUS_INERROR,
}


def reset(connection: Any) -> bool:
    """Reset a connection of the driver; return False if it can't be used any more."""
    if connection.closed or connection.info.transaction_status not in _USABLE:
        return False
    try:
        connection.cursor().execute(RESET)
    except psycopg2.Error:  # the server has ended the idle session
        return False
    connection.autocommit = False
    return True
