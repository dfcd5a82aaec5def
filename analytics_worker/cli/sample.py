"""``analytics-worker sample``: load the made-up warehouse, or let it do some more business.

Writes schema ``raw`` of the analytics database in one transaction. Repeating is safe: a load
refuses to touch what is there without the option that replaces an earlier sample.
"""

import time
from dataclasses import asdict
from typing import Annotated

import typer

from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.migrations import current, migrate
from analytics_worker.stack.sample import SampleCounts, load_sample
from analytics_worker.stack.sample import tick as add_business


def sample(
    scale: Annotated[
        float, typer.Option(help="1 makes 50,000 opportunities, 20 makes a million.")
    ] = 1,
    tick: Annotated[bool, typer.Option("--tick", help="Add new business instead.")] = False,
    minutes: Annotated[int, typer.Option(help="How much business --tick adds.")] = 5,
    replace: Annotated[bool, typer.Option("--replace", help="Make the sample again.")] = False,
) -> None:
    """Fill schema raw with a realistic CRM warehouse, or add some minutes of new business."""
    started = time.monotonic()
    with direct_connection(warehouse_url()) as connection:
        is_migrated = current(connection) is not None
        if tick:
            counts = add_business(connection, minutes)
        else:
            counts = load_sample(connection, scale, replace=replace)
    if not tick and is_migrated:
        migrate(sample=True)  # the reader reads it, and what dbt builds from it
    typer.echo(_sentence(counts, time.monotonic() - started))


def _sentence(counts: SampleCounts, seconds: float) -> str:
    rows = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in asdict(counts).items() if n)
    return f"{counts.total:,} new rows in {seconds:.1f} s: {rows}"
