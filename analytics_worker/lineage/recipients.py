"""Add who receives the messages of a rule or report.

Reads nothing, writes nothing.
"""

from collections.abc import Iterable

from analytics_worker.delivery.message import Recipient
from analytics_worker.lineage.graph import Lineage, Node


def add_recipients(lineage: Lineage, sender: Node, recipients: Iterable[Recipient]) -> None:
    """Add the recipients: an address, or a channel as a whole."""
    for each in recipients:
        node = Node("recipient", each.address)
        lineage.descriptions[node] = "channel" if each.address == each.channel else each.channel
        lineage.add(sender, node)
