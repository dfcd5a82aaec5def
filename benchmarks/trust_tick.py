"""What each minute costs that looks at promises and incidents: 200 models, 500 rules and 100 reports.

Measured is the part of `collect-worker-metrics` that reads the warehouse: the columns that reports lack, the promises, and
the incidents with their messages. Nothing is compared with, because nothing else does it. The changed tick opens or
ends an incident of a renamed column, which models, rules and reports read; between two ticks, the rules are planned
again, as their flow does.
"""

import json
import os
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from statistics import median

import psutil

from analytics_worker.database.connections import warehouse
from analytics_worker.lineage.refused_reports import record_refused_reports
from analytics_worker.settings import settings
from benchmarks._cpu import cpu_seconds
from benchmarks._peak_memory import peak_megabytes
from benchmarks._table import Row, render
from benchmarks._warehouse import Connection, connect, execute, fresh_warehouse
from flows.alerts.evaluation import reads as rule_reads
from flows.alerts.rules.model import Rule
from flows.alerts.rules.sync import sync as sync_rules
from flows.analytics.catalog import upsert_catalog
from flows.monitoring.incidents.update import IncidentUpdate, update_incidents
from flows.monitoring.promises.update import update_promises
from flows.reports.definitions.model import Report
from flows.reports.definitions.sync import sync as sync_reports
from flows.reports.scheduling import reads as report_reads

SOURCES, COLUMNS = 50, 20
MODELS, TESTS, RULES, REPORTS = 200, 400, 500, 100
ROUNDS, CPU_ROUNDS = 9, 100
SCHEMAS = ["raw", "staging", "analytics"]


def measure() -> list[Row]:
    """Return the milliseconds and memory of a tick without and with a change."""
    with fresh_warehouse() as url, closing(connect(url)) as connection:
        os.environ["INCIDENT_CALM_MINUTES"] = "off"  # each change is an incident of its own
        settings.cache_clear()
        _fill(connection)
        minute = _Minute(connection)
        minute.tick()  # opens connections, and estimates the days of the promises
        parts = {name: _milliseconds(part) for name, part in minute.parts().items()}
        unchanged = _milliseconds(minute.tick)
        cpu = _cpu_milliseconds(connection, minute.tick)
        memory = peak_megabytes(minute.tick) - peak_megabytes(lambda: time.sleep(0.5))
        changed = median(_changed(connection, minute, number) for number in range(ROUNDS))
    what = f"minute of {MODELS} models, {RULES} rules, {REPORTS} reports"
    return [
        Row(f"{what}, nothing changed", unchanged, "ms", goal="≤ 50 ms"),
        *(Row(f"… {name}", milliseconds, "ms") for name, milliseconds in parts.items()),
        Row("… CPU, that of PostgreSQL included", cpu, "ms", goal="≤ 50 ms"),
        Row("… memory", max(memory, 0.0), "MB", goal="≤ 60 MB"),
        Row(f"{what}, a column that is read was renamed", changed, "s", goal="≤ 1 s"),
    ]


class _Minute:
    """What a minute does, always at the same time, so that no promise changes."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.now = connection, datetime.now(UTC)

    def tick(self) -> list[str]:
        """Do all of it; return the incidents that changed."""
        problems = record_refused_reports() + self.promises()
        update = self.incidents()
        assert not problems, problems
        assert not update.unread, update.unread
        return update.changes

    def promises(self) -> list[str]:
        with warehouse() as connection:
            return update_promises(connection, self.now, dict)

    def awaited_promises(self) -> list[str]:
        """Look at the promises as if a day were awaited."""
        execute(self.connection, "delete from ops.looks")
        return self.promises()

    def incidents(self) -> IncidentUpdate:
        with warehouse() as connection:
            return update_incidents(connection, self.now)

    def parts(self) -> dict[str, Callable[[], object]]:
        return {
            "reports that lack a column": record_refused_reports,
            "promises": self.promises,
            "promises, while a day is awaited": self.awaited_promises,
            "incidents": self.incidents,
        }


def _milliseconds(work: Callable[[], object]) -> float:
    measured = list[float]()
    for _ in range(1 + ROUNDS):
        started = time.perf_counter()
        work()
        measured.append(1000 * (time.perf_counter() - started))
    return median(measured[1:])


def _cpu_milliseconds(connection: Connection, work: Callable[[], object]) -> float:
    """Return the mean of many rounds, because the clock of other processes has steps of 10 ms."""
    ((pid,),) = execute(connection, "select pg_backend_pid()")
    postmaster = psutil.Process(pid).parent()
    assert postmaster
    before = cpu_seconds([postmaster])
    for _ in range(CPU_ROUNDS):
        work()
    return 1000 * (cpu_seconds([postmaster]) - before) / CPU_ROUNDS


def _changed(connection: Connection, minute: _Minute, number: int) -> float:
    before, after = ("d0", "c0") if number % 2 else ("c0", "d0")
    execute(connection, f"alter table raw.s0 rename {before} to {after}")
    while rule_reads.record_reads():
        pass
    started = time.perf_counter()
    changes = minute.tick()
    seconds = time.perf_counter() - started
    assert changes == [f"raw.s0 {'resolved' if number % 2 else 'opened'}"], changes
    return seconds


def _fill(connection: Connection) -> None:
    columns = ", ".join(f"c{n} int not null" for n in range(COLUMNS))
    for number in range(SOURCES):
        execute(connection, f"create table raw.s{number} ({columns})")
    for number in range(MODELS):
        _create_model(connection, number)
    _store_tests(connection)
    execute(connection, "grant select on all tables in schema raw, analytics to analytics_reader")
    sync_rules({("alert", each.name): each for each in map(_rule, range(RULES))})
    sync_reports({each.name: each for each in map(_report, range(REPORTS))})
    upsert_catalog.fn(SCHEMAS)
    while rule_reads.record_reads() or report_reads.record_reads():
        pass
    execute(connection, "update ops.alert_rules set updated_at = now() - interval '9 days'")
    execute(connection, "update ops.report_definitions set updated_at = now() - interval '9 days'")
    execute(connection, "vacuum analyze")


def _create_model(connection: Connection, number: int) -> None:
    source = ["raw", f"s{number % SOURCES}"]
    inputs = [source, ["analytics", f"m{number // 2}"]] if number else [source]
    execute(connection, f"create view analytics.m{number} as table raw.{source[1]}")
    execute(
        connection,
        "insert into ops.dbt_relations values ('p', 'analytics', %s, null, %s)",
        (f"m{number}", json.dumps(inputs)),
    )
    execute(
        connection,
        "insert into ops.dbt_node_health (unique_id, schema_name, relation_name, project, resource_type, name,"
        " status, built_at) values (%s, 'analytics', %s, 'p', 'model', %s, 'ok', now() - interval '1 hour')",
        (f"model.p.m{number}", f"m{number}", f"m{number}"),
    )


def _store_tests(connection: Connection) -> None:
    execute(
        connection,
        "insert into ops.dbt_node_health (unique_id, schema_name, relation_name, project, resource_type, name,"
        " status) select 'test.p.' || n, '', '', 'p', 'test', 't' || n, 'ok' from generate_series(1, %s) as n",
        (TESTS,),
    )
    execute(
        connection,
        "insert into ops.unit_reads (kind, name, relations, updated_at) select 'dbt', 'test.p.' || n,"
        " jsonb_build_array(jsonb_build_array('analytics', 'm' || n %% %s)), now() from generate_series(1, %s) as n",
        (MODELS, TESTS),
    )


def _rule(number: int) -> Rule:
    table = f"raw.s{number % SOURCES}" if number % 2 else f"analytics.m{number % MODELS}"
    sql = f"select sum(c0) as value from {table} where c1 > {number}"  # noqa: S608  # a fixed name
    content = {"name": f"r{number}", "sql": sql, "operator": ">", "threshold": 10}
    return Rule.model_validate({**content, "channels": ["webhook"]})


def _report(number: int) -> Report:
    table = f"raw.s{number % SOURCES}"
    sql = f"select c0, c1, c2 from {table} where :period_start is not null"  # noqa: S608  # a fixed name
    promise = {"promise": {"by": "07:30"}} if number % 5 == 0 else {}
    content = {"name": f"report {number}", "schedule": "daily", "sql": sql, **promise}
    return Report.model_validate({**content, "recipients": ["ann@example.com"]})


if __name__ == "__main__":
    print(render(measure()))
