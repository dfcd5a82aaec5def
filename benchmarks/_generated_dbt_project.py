"""Generate a dbt project of any size: layers of views and tables that read one another."""

import json
from pathlib import Path

PROJECT = """\
name: generated
version: "1.0"
profile: generated
models:
  generated:
    +materialized: view
    marts: { +materialized: table }
"""
PROFILES = """\
generated:
  target: dev
  outputs:
    dev:
      type: postgres
      host: "{{ env_var('DBT_HOST') }}"
      port: "{{ env_var('DBT_PORT') | int }}"
      user: "{{ env_var('DBT_USER') }}"
      password: "{{ env_var('DBT_ENV_SECRET_PASSWORD', '') }}"
      dbname: "{{ env_var('DBT_DBNAME') }}"
      schema: generated
      threads: 4
"""
STAGING = (
    "select n as id, n % 7 as kind, n * {number} as amount from generate_series(1, 100) as n\n"
)
PARENT = "select id, kind, amount from {{{{ ref('{name}') }}}}"
READING = """\
with parents as (
    {parents}
)

select id, kind, sum(amount) as amount from parents group by id, kind
"""
MARTS_EVERY, PARENTS = 5, 3


def write_project(folder: Path, models: int) -> Path:
    """Write a project: two fifths of its models read nothing, each other one reads up to three of them.

    Every fifth model is a table, the others are views; each has a description and described columns.
    """
    (folder / "models" / "marts").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(PROFILES)
    sources = models * 2 // 5
    for number in range(models):
        layer = "marts/" if number % MARTS_EVERY == 0 else ""
        sql = STAGING.format(number=number) if number < sources else _reading(number, sources)
        (folder / "models" / f"{layer}{_name(number)}.sql").write_text(sql)
    properties = {"models": [_properties(number) for number in range(models)]}
    (folder / "models" / "models.yml").write_text(json.dumps(properties))  # JSON is YAML
    return folder


def _name(number: int) -> str:
    return f"model_{number:04}"


def _reading(number: int, sources: int) -> str:
    parents = {(number * step) % sources for step in range(1, PARENTS + 1)}
    relations = [PARENT.format(name=_name(number)) for number in parents]
    return READING.format(parents="\n    union all\n    ".join(relations))


def _properties(number: int) -> dict[str, object]:
    columns = [{"name": name, "description": f"The {name}."} for name in ("id", "kind", "amount")]
    return {"name": _name(number), "description": f"Model {number}.", "columns": columns}
