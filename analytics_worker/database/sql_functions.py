"""Functions that SQL of users may not call: those that reach beyond the statement's result.

Reads the server's catalog of functions, once for each pool of connections; writes nothing. Of the
functions that come with PostgreSQL and its extensions, every volatile one is refused unless it is
listed as harmless: that holds for servers and extensions that this code does not know. Functions that
somebody defined are theirs to answer for: they run with the rights of the reader, or, SECURITY
DEFINER, with those of their owner. Timeouts and grants are the boundary behind this.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from analytics_worker.database.sql_tokens import Token, folded

# Known without a server, so that a mistake is found when a file is checked; and those that are not
# volatile, but run SQL that they are given as text, or read whole schemas.
KNOWN = re.compile(
    r"pg_(?:terminate|cancel)_backend|pg_sleep(?:_for|_until)?|set_config|setseed|pg_notify"
    r"|pg_read_\w*file|pg_ls_\w*dir|pg_stat_file|pg_(?:try_)?advisory\w*|pg_logical\w*"
    r"|pg_(?:reload_conf|rotate_logfile|export_snapshot|promote|stat_(?:reset|force)\w*)"
    r"|pg_(?:create|drop|copy|switch|backup|wal_replay|sync|clear|restore|log)_\w+|pg_file_\w+"
    r"|lo_\w+|lo(?:read|write)|dblink\w*|(?:query|table|cursor|schema|database)_to_xml\w*"
    r"|normalize|is_normalized"  # quadratic, and never look for a cancellation
    r"|ts_stat|ts_rewrite|crosstab\w*|connectby|xpath_table|setval|nextval|binary_upgrade_\w+"
)
HARMLESS = (
    # chance and time
    "random", "random_normal", "array_sample", "array_shuffle", "gen_random_uuid", "uuidv4", "uuidv7",
    "clock_timestamp", "timeofday", "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4",
    # sizes and partitions
    "pg_relation_size", "pg_table_size", "pg_indexes_size", "pg_total_relation_size",
    "pg_database_size", "pg_tablespace_size", "pg_partition_tree", "pg_partition_ancestors",
    # replication and transactions
    "pg_is_in_recovery", "pg_is_wal_replay_paused", "pg_last_xact_replay_timestamp",
    "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn", "pg_current_wal_lsn", "pg_blocking_pids",
    "pg_xact_commit_timestamp", "txid_status", "pg_xact_status", "pg_sequence_last_value",
)  # fmt: skip
_BEFORE_NORMALIZED = frozenset({"not", "nfc", "nfd", "nfkc", "nfkd"})
_WORD = re.compile(r"[^\W\d]\w*")
_of_engine: WeakKeyDictionary[Any, frozenset[str]] = WeakKeyDictionary()


def refused_functions(engine: Any, connection: Any) -> frozenset[str]:
    """Names of the functions of this pool's database that users' SQL may not call."""
    known = _of_engine.get(engine)
    if known is None:
        with connection.cursor() as cursor:
            cursor.execute(_query(), {"harmless": list(HARMLESS)})
            known = frozenset(name for (name,) in cursor.fetchall())
        _of_engine[engine] = known
    return known


@lru_cache
def _query() -> str:
    return (Path(__file__).parent / "sql" / "refused_functions.sql").read_text()


def mentions(sql: str, names: frozenset[str]) -> bool:
    """Whether one of the names stands anywhere in the SQL, be it in a text; quick."""
    text = folded(sql)
    words = set(_WORD.findall(text))
    return (
        'u&"' in text
        or "normalized" in words
        or any(word in names or KNOWN.fullmatch(word) for word in words)
    )


def called(parts: Iterable[Token]) -> Iterator[str]:
    """Return the names before a parenthesis, and the function of ``IS [form] NORMALIZED``."""
    after_is = False
    for token, following in pairwise(parts):
        if token.kind in {"name", "quoted_name"} and following.value == "(":
            yield token.value
        after_is = token.value == "is" or (after_is and token.value in _BEFORE_NORMALIZED)
        if after_is and following.value == "normalized":
            yield "is_normalized"
