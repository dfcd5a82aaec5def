"""Load what is known of the data that rules read, for their messages.

Reads what `trust_states` reads, in the transaction of the caller; writes nothing. If it can't be read, messages are
sent without it.
"""

import logging
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from analytics_worker.errors import is_database_outage
from analytics_worker.lineage.graph import Node
from analytics_worker.trust.stamp import without_own_failure
from analytics_worker.trust.state import TrustState, trust_states
from flows.alerts.evaluation.locking import Claim

logger = logging.getLogger(__name__)


def load_trust(connection: Connection, claims: Iterable[Claim]) -> Mapping[int, TrustState]:
    """Return what is known of the data of rules by their ids; nothing of the rule of an event."""
    units = {each.id: Node("rule", each.name) for each in claims if each.kind != "event"}
    if not units:
        return {}
    try:
        with connection.begin_nested():
            found = trust_states(connection, set(units.values()))
    except DBAPIError as error:
        if error.connection_invalidated or is_database_outage(error):
            raise
        logger.exception("messages are sent without what is known of their data")
        return {}
    return {id_: without_own_failure(found[unit], unit) for id_, unit in units.items()}
