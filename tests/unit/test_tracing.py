"""When traces are sent, and what of a statement is in them."""

import os
import subprocess
import sys

import pytest

from analytics_worker.database.sql_text import without_literals
from analytics_worker.settings import otel_variables
from analytics_worker.tracing import is_wanted, modules_to_preload, tracing_problem

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
STATEMENTS = {
    "select 'a''b', E'x\\'y', $t$ z $t$, U&'q' from t1": "select ?, ?, ?, ? from t1",
    "select 1, -2.5e10, .5, 0xff, 1_000 from t where x=7and y": "select ?, -?, ?, ?, ? from t where x=?and y",
    "/* secret */ select a -- secret\n from b": "select a from b",
    'select "Name 1", $1, %(p)s, :q': 'select "Name 1", $1, %(p)s, :q',
    "select 'never closed": "select …",
    "select /* never closed": "select …",
    "": "",
}


@pytest.mark.parametrize(("sql", "shown"), STATEMENTS.items())
def test_a_statement_without_its_values(sql: str, shown: str):
    assert without_literals(sql) == shown


def test_a_long_statement_is_cut():
    sql = "select " + ", ".join(f"column_{n} = 'secret'" for n in range(5_000))
    assert len(without_literals(sql)) == 2_000
    assert "secret" not in without_literals(sql)


@pytest.mark.parametrize(
    ("variables", "wanted", "problem"),
    [
        ({}, False, None),
        ({ENDPOINT: ""}, False, None),
        ({ENDPOINT: "http://c:4318"}, True, None),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c/v1/traces"}, True, None),
        ({ENDPOINT: "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False, None),
        ({ENDPOINT: "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False, None),
        ({ENDPOINT: "c:4317"}, True, "is not a valid URL; expected one such as http"),
        (
            {ENDPOINT: "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            True,
            "OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported; expected http/protobuf",
        ),
    ],
)
def test_when_traces_are_sent(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: bool, problem: str | None
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_wanted() is wanted
    assert (problem or "") in (tracing_problem() or "")
    assert (tracing_problem() is None) is (problem is None)
    assert bool(modules_to_preload()) is (wanted and problem is None)
    assert otel_variables() == {name: value for name, value in variables.items() if value}


PROGRAM = """
import sys
{}
from analytics_worker import tracing
tracing.start_tracing({{}})
tracing.record_statement("select 1", 0.1)
tracing.finish_tracing()
print(tracing.tracing_problem())
print(sorted(name for name in sys.modules if name.startswith("opentelemetry.sdk")))
"""
WITHOUT_EXTRA = "sys.modules['opentelemetry.exporter'] = None"


def printed(code: str, **variables: str) -> list[str]:
    command = [sys.executable, "-c", PROGRAM.format(code)]
    environment = os.environ | variables
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return ended.stdout.splitlines()


def test_without_a_collector_nothing_is_imported():
    assert printed("") == ["None", "[]"]


def test_without_the_extra_it_is_named():
    problem, imported = printed(WITHOUT_EXTRA, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert (
        problem
        == f"{ENDPOINT} is set, but no traces are sent: pip install 'analytics-worker[otel]'"
    )
    assert imported == "[]"
