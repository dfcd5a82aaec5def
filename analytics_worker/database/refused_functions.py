"""List the functions that user SQL may not call: those with effects beyond the statement's result.

Reads the server's catalog of functions, once for each pool of connections; writes nothing. Of the
functions that come with PostgreSQL and its extensions, every volatile one is refused unless it is
listed as harmless, also on servers and with extensions that this code does not know. Functions that
users defined are allowed: they run with the rights of the reader, or, SECURITY DEFINER, with those of
their owner. Timeouts and grants are the boundary behind this.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from analytics_worker.database.sql_tokens import Token, folded

# Known without a server, so that a mistake is found when a file is checked. Also functions that are not
# volatile, but run SQL in their arguments or read whole schemas.
REFUSED_NAMES = re.compile(
    r"pg_(?:terminate|cancel)_backend|pg_sleep(?:_for|_until)?|set_config|setseed|pg_notify"
    r"|pg_read_\w*file|pg_ls_\w*dir|pg_stat_file|pg_(?:try_)?advisory\w*|pg_logical\w*"
    r"|pg_(?:reload_conf|rotate_logfile|export_snapshot|promote|stat_(?:reset|force)\w*)"
    r"|pg_(?:create|drop|copy|switch|backup|wal_replay|sync|clear|restore|log)_\w+|pg_file_\w+"
    r"|lo_\w+|lo(?:read|write)|dblink\w*|(?:query|table|cursor|schema|database)_to_xml\w*"
    r"|normalize|is_normalized"  # quadratic, and never look for a cancellation
    r"|ts_stat|ts_rewrite|crosstab\w*|connectby|xpath_table|setval|nextval|binary_upgrade_\w+"
)
HARMLESS_FUNCTIONS = (
    # chance and time
    "random", "random_normal", "array_sample", "array_shuffle", "gen_random_uuid", "uuidv4", "uuidv7",
    "clock_timestamp", "timeofday", "timezone", "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4",
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
_refused_by_engine: WeakKeyDictionary[Any, frozenset[str]] = WeakKeyDictionary()


def refused_functions(engine: Any, connection: Any) -> frozenset[str]:
    """Return the names of the functions of this pool's database that user SQL may not call."""
    refused = _refused_by_engine.get(engine)
    if refused is None:
        with connection.cursor() as cursor:
            cursor.execute(_query(), {"harmless": list(HARMLESS_FUNCTIONS)})
            refused = frozenset(name for (name,) in cursor.fetchall())
        _refused_by_engine[engine] = refused
    return refused


@lru_cache
def _query() -> str:
    return (Path(__file__).parent / "sql" / "volatile_functions.sql").read_text()


def mentions(sql: str, names: frozenset[str]) -> bool:
    """Whether one of the names appears anywhere in the SQL, even in a text: a fast check."""
    text = folded(sql)
    sql_names = set(_WORD.findall(text))
    return (
        'u&"' in text
        or "normalized" in sql_names
        or any(name in names or REFUSED_NAMES.fullmatch(name) for name in sql_names)
    )


def called_names(parts: Iterable[Token]) -> Iterator[str]:
    """Yield the names before a parenthesis, and the function of ``IS [form] NORMALIZED``."""
    after_is = False
    for token, following in pairwise(parts):
        if token.kind in {"name", "quoted_name"} and following.value == "(":
            yield token.value
        after_is = token.value == "is" or (after_is and token.value in _BEFORE_NORMALIZED)
        if after_is and following.value == "normalized":
            yield "is_normalized"
