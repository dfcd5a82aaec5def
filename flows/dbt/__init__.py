"""Flows that run dbt: models, tests, seeds, snapshots, macros, documentation, source freshness."""

from flows.dbt.builds import dbt_build
from flows.dbt.data_tests import run_dbt_tests
from flows.dbt.docs import dbt_docs_generate
from flows.dbt.freshness import dbt_freshness_check
from flows.dbt.models import run_dbt_models
from flows.dbt.operations import dbt_run_operation
from flows.dbt.seeds import dbt_seed
from flows.dbt.snapshots import dbt_snapshot

__all__ = [
    "dbt_build",
    "dbt_docs_generate",
    "dbt_freshness_check",
    "dbt_run_operation",
    "dbt_seed",
    "dbt_snapshot",
    "run_dbt_models",
    "run_dbt_tests",
]
