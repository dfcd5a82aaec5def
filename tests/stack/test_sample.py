"""The made-up warehouse: the same every time, careful with what is there, and it can go on."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, text

from analytics_worker.database.connections import direct_connection, parse_url
from analytics_worker.stack.sample import SampleCounts, SampleError, is_empty, load_sample, tick

AS_OF = datetime(2026, 3, 15, 14, 30, tzinfo=UTC)
TABLES = [
    "owners",
    "accounts",
    "opportunities",
    "opportunity_stage_history",
    "activities",
    "subscriptions",
    "invoices",
    "consents",
    "erasure_requests",
]

Work = Callable[[Connection], object]


@pytest.fixture
def during(database_url: str) -> Callable[[Work], object]:
    """Do some work in one transaction of a fresh database."""

    def run(work: Work) -> object:
        with direct_connection(parse_url(database_url)) as connection:
            return work(connection)

    return run


def load(connection: Connection, **options: object) -> SampleCounts:
    return load_sample(connection, opportunities=500, as_of=AS_OF, **options)  # pyright: ignore[reportArgumentType]


def fingerprint(connection: Connection) -> list[str]:
    """One hash per table over all of its rows."""
    return [
        connection.execute(
            text(
                f"select md5(string_agg(t::text, '|' order by t::text)) from raw.{table} as t"
            )  # our own names
        ).scalar_one()
        for table in TABLES
    ]


def test_the_same_instant_gives_the_same_rows_and_ticks(during) -> None:
    seen = [during(load) and during(fingerprint)]
    seen.append(during(lambda c: load(c, replace=True)) and during(fingerprint))
    assert seen[0] == seen[1]
    ticked = during(lambda c: tick(c, 30, as_of=AS_OF)) and during(fingerprint)
    during(lambda c: load(c, replace=True))
    assert ticked == (during(lambda c: tick(c, 30, as_of=AS_OF)) and during(fingerprint))
    assert ticked != seen[0]


def test_the_counts_are_those_of_the_tables(during) -> None:
    counts = during(load)
    assert isinstance(counts, SampleCounts)
    total = during(
        lambda c: sum(
            c.execute(text(f"select count(*) from raw.{t}")).scalar_one() for t in TABLES
        )  # our own names
    )
    assert counts.opportunities == 500
    assert counts.total == total


def test_business_reaches_the_instant_and_never_passes_it(during) -> None:
    during(load)
    newest = during(
        lambda c: c.execute(
            text("""
                select greatest(
                    (select max(greatest(created_at, closed_at, updated_at)) from raw.opportunities),
                    (select max(greatest(occurred_at, replied_at, updated_at)) from raw.activities),
                    (select max(greatest(paid_at, updated_at)) from raw.invoices),
                    (select max(greatest(granted_at, withdrawn_at)) from raw.consents),
                    (select max(greatest(requested_at, completed_at)) from raw.erasure_requests)
                )
            """)
        ).scalar_one()
    )
    assert isinstance(newest, datetime)
    assert newest <= AS_OF
    assert (AS_OF - newest).days < 2


def test_an_existing_sample_is_replaced_only_on_demand(during) -> None:
    assert during(is_empty)
    during(load)
    assert not during(is_empty)
    with pytest.raises(SampleError, match="--replace"):
        during(load)


def test_other_peoples_tables_are_never_replaced(during) -> None:
    during(lambda c: c.execute(text("create table raw.owners as select 'precious' as data")))
    with pytest.raises(SampleError, match="not a sample"):
        during(lambda c: load(c, replace=True))
    assert (
        during(lambda c: c.execute(text("select data from raw.owners")).scalar_one()) == "precious"
    )


def test_a_tick_moves_deals_outreach_and_time(during) -> None:
    during(load)
    added = during(lambda c: tick(c, 60, as_of=AS_OF))
    assert isinstance(added, SampleCounts)
    assert min(added.opportunities, added.stage_changes, added.activities, added.accounts) > 0
    newest = during(
        lambda c: c.execute(text("select max(updated_at) from raw.activities")).scalar_one()
    )
    assert isinstance(newest, datetime)
    assert newest > AS_OF or (AS_OF - newest).seconds < 3600


def test_ticks_need_a_sample_and_sizes_need_a_table_to_fill(during) -> None:
    with pytest.raises(SampleError, match="analytics-worker sample"):
        during(tick)
    with pytest.raises(SampleError, match="200 are the least"):
        during(lambda c: load_sample(c, 0.001))
