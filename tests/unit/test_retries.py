"""Backoff never exceeds its cap, and permanent errors are not retried."""

import asyncio

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.states import Failed
from prefect.utilities.math import lower_clamp_multiple
from sqlalchemy.exc import DBAPIError, OperationalError

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.errors import PermanentError, is_database_outage, is_permanent
from analytics_worker.prefect_support import retries
from analytics_worker.prefect_support.retries import capped_backoff, should_retry


@given(
    base=st.floats(0.1, 60),
    cap=st.floats(0.1, 600),
    jitter=st.floats(0, 2),
    retry_count=st.integers(0, 80),
)
def test_delays_never_decrease_and_never_exceed_the_cap_with_jitter(base, cap, jitter, retry_count):
    delays = capped_backoff(base_seconds=base, cap_seconds=cap, jitter=jitter)(retry_count)
    assert len(delays) == retry_count
    assert delays == sorted(delays)
    assert all(delay * (1 + jitter) <= cap * 1.000001 for delay in delays)


@pytest.mark.parametrize(
    ("policy", "retry_count", "cap"),
    [
        (retries.CATALOG, 3, 300),
        (retries.REFRESH, 3, 600),
        (retries.STATISTICS, 2, 300),
        (retries.CLEANUP, 0, 0),
        (retries.DBT_RUN, 2, 600),
        (retries.DBT_TEST, 2, 300),
        (retries.DBT_DOCS, 1, 300),
        (retries.DBT_FRESHNESS, 1, 300),
    ],
)
def test_policies_match_the_documented_retries(policy, retry_count, cap):
    assert policy["retries"] == retry_count
    longest = max(policy["retry_delay_seconds"](retry_count), default=0)
    assert longest * (1 + policy["retry_jitter_factor"]) <= cap


@pytest.mark.parametrize(
    "policy",
    [
        retries.CATALOG,
        retries.REFRESH,
        retries.STATISTICS,
        retries.DBT_RUN,
        retries.DBT_TEST,
        retries.DBT_DOCS,
        retries.DBT_FRESHNESS,
    ],
)
def test_the_delays_outlast_a_minute_without_the_database(policy):
    delays = policy["retry_delay_seconds"](policy["retries"])
    shortest = lower_clamp_multiple(1 + policy["retry_jitter_factor"])
    assert sum(delays) * shortest >= 60


class _DriverError(psycopg2.Error):
    """An error with a SQLSTATE: psycopg2 does not allow setting pgcode."""

    def __init__(self, code):
        super().__init__(f"SQLSTATE {code}")
        self._code = code

    @property
    def pgcode(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._code


def wrapped(code):
    return OperationalError("select 1", {}, _DriverError(code))


def lost(code):
    return OperationalError("select 1", {}, _DriverError(code), connection_invalidated=True)


def driver(error):
    return DBAPIError("select 1", {}, error)


def refused(message):
    return driver(psycopg2.OperationalError(message))


@pytest.mark.parametrize(
    ("error", "retried", "outage"),
    [
        (PermanentError("no such view"), False, False),
        (wrapped("42601"), False, False),  # syntax error
        (wrapped("23505"), False, False),  # duplicate key
        (wrapped("22012"), False, False),  # division by zero
        (wrapped("55P03"), True, False),  # lock not available
        (wrapped("40001"), True, False),  # serialization failure
        (wrapped("57014"), True, False),  # statement timeout
        (wrapped("57P01"), True, False),  # the session was terminated
        (wrapped("57P02"), True, True),  # server crashed
        (wrapped("57P03"), True, True),  # server is starting
        (wrapped("08006"), True, False),  # of a foreign server
        (lost("08006"), True, True),  # of the warehouse
        (driver(psycopg2.DataError("unable to parse date")), True, False),
        (wrapped("53300"), True, True),  # too many connections
        (refused('FATAL:  password authentication failed for user "x"'), False, False),
        (refused('FATAL:  database "nope" does not exist'), False, False),
        (refused("could not connect to server: Connection refused"), True, True),
        (refused("server closed the connection unexpectedly"), True, True),
        (ConnectionError("elsewhere"), True, False),
    ],
    ids=str,
)
def test_which_errors_are_retried_and_which_count_as_an_outage(error, retried, outage):
    assert asyncio.run(should_retry(None, None, Failed(data=error))) is retried  # pyright: ignore[reportArgumentType]
    assert is_permanent(error) is not retried
    assert is_database_outage(error) is outage


def test_an_open_breaker_is_never_retried_even_as_a_cause():
    circuit_open = CircuitOpenError.__new__(CircuitOpenError)
    outer = RuntimeError("could not refresh")
    outer.__cause__ = circuit_open
    for error in (circuit_open, outer):
        assert asyncio.run(should_retry(None, None, Failed(data=error))) is False  # pyright: ignore[reportArgumentType]
