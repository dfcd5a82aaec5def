"""Queries that the documentation recommends run on a migrated database."""

import psycopg2
import pytest

from tests.support.snippets import inline_sql


@pytest.mark.parametrize("query", inline_sql(), ids=str)
def test_it_runs(query, database_url):
    connection = psycopg2.connect(database_url.replace("+psycopg2", ""))
    try:
        connection.cursor().execute(query.text)
    finally:
        connection.close()
