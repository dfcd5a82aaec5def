"""Define the settings of this host, the databases, the analytics flows and dbt."""

from typing import Literal

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
)
from pydantic_settings import BaseSettings

from analytics_worker.settings.types import (
    DbtSteps,
    Names,
    OptionalPath,
    ProjectPath,
    Secret,
    Text,
    in_state_dir,
    project_root,
)


class DataSettings(BaseSettings):
    """Settings of databases and folders; ``state_dir`` first, because other defaults depend on it."""

    # This host; first, because other folders are in the state folder unless they are set
    state_dir: ProjectPath = Field(
        default=project_root() / ".state",
        description="Folder of the data of `make up`: embedded database, Prefect home, breaker state, and, unless they are set, logs and reports.",
    )
    log_dir: ProjectPath = Field(
        default_factory=in_state_dir("logs"), description="Folder of the log files."
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="Lines that worker, server, exporter, `up` and runs write: text, or json for one JSON object per line on standard error (docs/logs.md).",
    )

    # Databases
    database_url: Secret = Field(
        default=None,
        description="SQLAlchemy URL of the analytics database. Empty: `make up` runs its own PostgreSQL.",
    )
    database_direct_url: Secret = Field(
        default=None,
        description="URL of the same database past a connection pooler in transaction mode, such as PgBouncer: for dbt, user SQL, migrations and sessions that hold locks. Empty: DATABASE_URL.",
    )
    reader_database_url: Secret = Field(
        default=None,
        description="URL of the role that can only SELECT, for user SQL. Empty: derived from DATABASE_DIRECT_URL or DATABASE_URL.",
    )
    reader_role: Text = Field(
        default=None,
        description="Name of the role that can only SELECT, which `migrate` creates. Empty: analytics_reader_<database>.",
    )
    reader_database_urls: dict[str, SecretStr] = Field(
        default={},
        description='URLs of more roles that can only SELECT, by the name that rules and reports use as `reader`, as JSON: {"finance": "postgresql://…"}.',
        json_schema_extra={"expected": 'JSON such as {"finance": "postgresql://…"}'},
    )
    user_sql_max_mb: PositiveInt = Field(
        default=16,
        description="Megabytes that one query of a rule, or of a page, tile or chart of a report, may return.",
    )
    database_block: Text = Field(
        default=None,
        description="Name of a Prefect SqlAlchemyConnector block to use instead of DATABASE_URL.",
    )
    database_pool_size: PositiveInt = Field(
        default=4, description="Maximum number of open connections of one process."
    )
    connect_timeout_seconds: PositiveInt = Field(
        default=10, description="How long one attempt to connect may take."
    )
    statement_timeout_seconds: PositiveInt = Field(
        default=120, description="How long one statement may run, unless a flow sets its own limit."
    )
    lock_timeout_seconds: PositiveInt = Field(
        default=30, description="How long one statement may wait for a lock."
    )
    redis_url: Secret = Field(
        default=None,
        description="Redis for breaker state that several hosts share. Empty: a SQLite file on this host.",
    )

    # Analytics
    analytics_schemas: Names = Field(
        default=["raw", "staging", "analytics"],
        description="Schemas that the catalog covers, the reader role reads and whose materialized views are refreshed, comma separated, without quotes.",
    )
    catalog_stale_after_hours: PositiveFloat = Field(
        default=26.0, description="Age of a relation's data from which the catalog calls it stale."
    )
    refresh_parallelism: PositiveInt = Field(
        default=2, description="Materialized views refreshed at the same time."
    )
    refresh_statement_timeout_seconds: PositiveInt = Field(
        default=1800, description="How long the refresh of one materialized view may take."
    )
    refresh_max_age_hours: PositiveFloat = Field(
        default=24.0,
        description="Age from which a materialized view is refreshed even if no change is detected.",
    )
    refresh_log_retention_days: PositiveInt = Field(
        default=30, description="Days that rows of the refresh log and other histories are kept."
    )
    query_statistics_top: PositiveInt = Field(
        default=100, description="Statements kept in one snapshot of pg_stat_statements."
    )

    # dbt
    dbt_project_path: ProjectPath = Field(
        default=project_root() / "dbt_project", description="Folder of the dbt project."
    )
    dbt_profiles_dir: OptionalPath = Field(
        default=None, description="Folder of profiles.yml. Empty: the dbt project's folder."
    )
    dbt_before_models: DbtSteps = Field(
        default=[],
        description="What `run_dbt_models` runs before the models, in this order, comma separated: deps, seed, snapshot. With deps, every dbt flow installs the packages when they changed.",
        json_schema_extra={"expected": "deps, seed, snapshot, comma separated"},
    )
    dbt_operations: Names = Field(
        default=[],
        description="Macros of the dbt project that callers of `dbt_run_operation` may run, comma separated. Empty: none.",
    )
    dbt_state_dir: ProjectPath = Field(
        default_factory=in_state_dir("dbt-state"),
        description="Folder of the kept states of production, which `--state production` of dbt refers to; hosts may share it.",
    )
    dbt_states_kept: PositiveInt = Field(
        default=5, description="States of production that are kept for each dbt project."
    )
    dbt_production_target: Text = Field(
        default=None,
        description="Target of profiles.yml that is production. Empty: its default target.",
    )
    dbt_lock_wait_seconds: NonNegativeInt = Field(
        default=7200,
        description="How long a dbt run waits for another one on the same warehouse before it fails; less than the time between two scheduled runs.",
    )
    dbt_runner: Literal["dbt", "prefect"] = Field(
        default="dbt",
        description="Which runner runs dbt: dbt, or prefect for PrefectDbtRunner of prefect-dbt, which adds the lineage of assets and takes longer (docs/decisions/prefect-dbt.md).",
    )
    dbt_executable: Text = Field(
        default=None,
        description="Path of another dbt, or its name on PATH, that runs all dbt commands: for another version, or a wrapper (docs/decisions/dbt-executable.md). Empty: the dbt of this environment.",
    )
    dbt_node_task_runs: NonNegativeInt = Field(
        default=100,
        description="A dbt run of up to so many nodes shows each of them as a task run and logs each line of dbt. A run of more nodes shows the failed and the slowest ones, and logs its progress; its table and `ops.dbt_node_results` have the others.",
    )
