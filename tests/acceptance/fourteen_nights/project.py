"""The user's files: a small dbt project, and definitions of rules, reports, trust and calendar."""

from pathlib import Path

from analytics_worker.calendars import working_days
from analytics_worker.completeness import trust_file
from tests.acceptance.fourteen_nights.events import CUSTOMERS, NOTE, ORDERS, PAYMENTS

SALES = 'analytics."Продажи {n} 100%"'

PROJECT = """
name: shop
version: "1.0"
profile: shop
models: { +materialized: table }
"""
PROFILES = """
shop:
  target: warehouse
  outputs:
    warehouse:
      type: postgres
      host: "{{ env_var('DBT_HOST') }}"
      port: "{{ env_var('DBT_PORT') | int }}"
      user: "{{ env_var('DBT_USER') }}"
      password: "{{ env_var('DBT_ENV_SECRET_PASSWORD', '') }}"
      dbname: "{{ env_var('DBT_DBNAME') }}"
      schema: analytics
      threads: 2
"""
SOURCES = """
sources:
  - name: raw
    schema: raw
    tables:
      - { name: orders, identifier: "Заказы {x} 100%" }
      - name: payments
        identifier: "Платежи"
        config: { loaded_at_field: paid_at, freshness: { warn_after: { count: 48, period: hour } } }
      - { name: customers, identifier: "Kunden & Co" }
      - { name: rates }
      - { name: codes }
groups:
  - { name: integration, owner: { name: Bob, email: bob@example.com } }
models:
  - name: sales
    columns: [{ name: id, data_tests: [unique, not_null] }]
  - name: margins
    config: { meta: { owner: ann@example.com } }
    columns: [{ name: currency, data_tests: [unique] }, { name: margin, data_tests: [not_null] }]
  - name: codes
    config: { group: integration }
    columns: [{ name: code, data_tests: [unique] }]
  - name: customers
    columns:
      - name: email
        data_tests: [{ not_null: { name: customers_have_an_email, config: { severity: warn } } }]
"""
MODELS = {
    "sales.sql": """
        {{ config(alias='Продажи {n} 100%') }}
        select id, "создан в" as created_at, "сумма {eur}" as amount from {{ source('raw', 'orders') }}
    """,
    "margins.sql": "select currency, 100 / rate as margin from {{ source('raw', 'rates') }}",
    "codes.sql": "select code::int as code from {{ source('raw', 'codes') }}",
    "customers.sql": "select id, email from {{ source('raw', 'customers') }}",
    "notes.sql": f"select id, {NOTE} as note from {{{{ source('raw', 'payments') }}}}",
}

TRUST = f"""
timezone: Europe/Berlin
watermark:
  {ORDERS}: "создан в"
  {PAYMENTS}: paid_at
promise:
  {PAYMENTS}: {{ by: "07:30" }}
contracts:
  {CUSTOMERS}:
    owner: carl@example.com
    columns: {{ id: {{ type: bigint, unique: true }} }}
"""
CALENDAR = "holidays: [2026-10-30]"

_STOCK = """
  - name: stock {n}
    sql: select min(stock) as stock from raw.inventory where sku = 'sku {n}'
    operator: "<"
    threshold: 1
    owner: stan@example.com
"""
ALERTS = f"""
defaults:
  channels: [{{ email: [shift@example.com] }}]
alerts:
  - name: visits
    sql: |
      select count(*) as visits from raw.visits
      where at >= date_trunc('day', cast(:now as timestamptz), 'Europe/Berlin') and at <= :now
    at: "20:00"
    timezone: Europe/Berlin
    expected: {{ season: week, floor: 50 }}
    severity: warning
    owner: rita@example.com
  - name: payments with notes
    sql: select count(*) as n from {PAYMENTS} where {NOTE} like 'fraud%'
    operator: ">"
    threshold: 10
    owner: rita@example.com
{"".join(_STOCK.format(n=n) for n in range(1, 6))}
"""
_OF_PERIOD = ">= :period_start and {0} < :period_end"
REPORTS = f"""
defaults:
  timezone: Europe/Berlin
reports:
  - name: sales
    title: Umsatz {{eur}} 100%
    schedule: daily
    at: "07:00"
    owner: olga@example.com
    recipients: [ceo@example.com]
    requires: {{ tests: passed, complete: true, latest: "12:00" }}
    promise: {{ by: "07:30" }}
    tiles:
      - title: Umsatz
        unit: EUR
        sql: |
          select coalesce(sum(amount), 0) from {SALES}
          where created_at {_OF_PERIOD.format("created_at")}
        previous: select null::numeric
    sql: select count(*) as orders from {SALES} where created_at {_OF_PERIOD.format("created_at")}
  - name: orders
    title: Bestellungen
    schedule: daily
    at: "07:00"
    owner: paul@example.com
    recipients: [cfo@example.com]
    tiles:
      - title: Bestellungen
        sql: |
          select coalesce(sum("сумма {{eur}}"), 0) from {ORDERS}
          where "создан в" {_OF_PERIOD.format('"создан в"')}
        previous: select null::numeric
    sql: select count(*) as orders from {ORDERS} where "создан в" {_OF_PERIOD.format('"создан в"')}
  - name: notes
    owner: olga@example.com
    sql: select {NOTE} as note from {PAYMENTS} where {NOTE} is not null
"""


def write_files(folder: Path) -> None:
    """Write the dbt project below ``dbt``, and the definitions below ``definitions``."""
    models, definitions = folder / "dbt/models", folder / "definitions"
    models.mkdir(parents=True)
    definitions.mkdir()
    (folder / "dbt/dbt_project.yml").write_text(PROJECT)
    (folder / "dbt/profiles.yml").write_text(PROFILES)
    for name, text in {**MODELS, "shop.yml": SOURCES}.items():
        (models / name).write_text(text)
    files = {"trust": TRUST, "calendar": CALENDAR, "alerts": ALERTS, "reports": REPORTS}
    for name, text in {**files, "thresholds": "thresholds: []"}.items():
        (definitions / f"{name}.yml").write_text(text)


def use_definitions(folder: Path) -> None:
    """Let flows of this process read trust.yml and calendar.yml there."""
    trust_file.project_root = working_days.project_root = lambda: folder
