"""Group the rules whose SQL is quick, because one message to the server then serves all of a group.

Reads and writes nothing. A rule is quick if its SQL was quick and succeeded the last time.
"""

from collections.abc import Iterator, Sequence

from analytics_worker.database.statement_groups import GROUP_TIMEOUT
from flows.alerts.evaluation.locking import Claim

GROUP_SIZE = 25
"""More rules in a group save nothing more."""
QUICK_MILLISECONDS = 20.0


def query_groups(claims: Sequence[Claim], connections: int) -> Iterator[list[Claim]]:
    """Return the claims in groups with the same reader; a rule that is not quick is alone."""
    size = min(GROUP_SIZE, -(-len(claims) // connections))
    open_groups: dict[str | None, list[Claim]] = {}
    for claim in claims:
        if not is_quick(claim):
            yield [claim]
            continue
        group = open_groups.setdefault(claim.rule.reader, [])
        group.append(claim)
        if len(group) >= size:
            yield open_groups.pop(claim.rule.reader)
    yield from open_groups.values()


def is_quick(claim: Claim) -> bool:
    """Whether the SQL of a rule is expected to need far less than its timeout."""
    if claim.rule.sql is None or claim.definition_error or claim.health.error:
        return False
    return claim.rule.timeout >= GROUP_TIMEOUT and (claim.milliseconds or 0.0) < QUICK_MILLISECONDS
