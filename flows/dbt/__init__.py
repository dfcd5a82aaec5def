"""Flows that run dbt: models, tests, documentation, source freshness."""

from flows.dbt.data_tests import run_dbt_tests
from flows.dbt.docs import dbt_docs_generate
from flows.dbt.freshness import dbt_freshness_check
from flows.dbt.models import run_dbt_models

__all__ = ["dbt_docs_generate", "dbt_freshness_check", "run_dbt_models", "run_dbt_tests"]
