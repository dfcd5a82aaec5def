"""The user's warehouse, and what happens to it: statements by the name that the story uses.

``:day`` is the date of the night in Berlin. Loads bring the rows of the day before, as the user's loader does at
01:10. Numbers follow from dates and hours, so that each play has the same ones.
"""

ORDERS = 'raw."Заказы {x} 100%"'
PAYMENTS = 'raw."Платежи"'
CUSTOMERS = 'raw."Kunden & Co"'
DAILY, WEEKLY = 'analytics."Оплата {d} 100%"', 'analytics."Оплата {w}"'
NOTE = '"заметка %"'

CREATE = f"""
    create table {ORDERS} (
        id bigint not null, "создан в" timestamptz not null, "сумма {{eur}}" numeric not null
    );
    create table {PAYMENTS} (
        id bigint not null, paid_at timestamptz not null, amount numeric not null, rate numeric not null, {NOTE} text
    );
    create table {CUSTOMERS} (id bigint not null, email text);
    create table raw.rates (currency text not null, rate numeric not null);
    create table raw.codes (code text not null);
    create table raw.inventory (sku text not null, stock integer not null);
    create table raw.visits (at timestamptz not null);
    insert into {CUSTOMERS} select n, n || '@example.com' from generate_series(1, 20) as n;
    insert into raw.rates values ('EUR', 1), ('USD', 1.1);
    insert into raw.codes values ('1'), ('2');
    insert into raw.inventory select 'sku ' || n, 10 from generate_series(1, 5) as n;
    create materialized view {DAILY} as
        select date_trunc('day', paid_at, 'Europe/Berlin') as day, sum(amount / rate) as paid from {PAYMENTS} group by 1;
    create unique index on {DAILY} (day);
    create materialized view {WEEKLY} as
        select date_trunc('week', day, 'Europe/Berlin') as week, sum(paid) as paid from {DAILY} group by 1;
    create unique index on {WEEKLY} (week)
"""
"""Orders come by day and payments around the clock; the app counts visits from Monday to Friday."""

VISITS = """
    insert into raw.visits
    select (d + h * interval '1 hour' + n * interval '2 minutes') at time zone 'Europe/Berlin'
    from
        generate_series(timestamp '2026-09-14', timestamp '2026-11-01', '1 day') as d,
        generate_series(8, 18) as h,
        generate_series(1, 18 + (extract(day from d)::int * 5 + h) % 5) as n
    where extract(isodow from d) < 6 and d <> '2026-10-30'
"""
"""All visits of the story; the rule counts those until now."""

_ORDERS = f"""
    insert into {ORDERS}
    select
        extract(epoch from d)::bigint / 86400 * 10000 + h * 100 + n,
        (d + h * interval '1 hour' + n * interval '2 minutes') at time zone 'Europe/Berlin',
        10 + (h * 7 + n * 3) % 40
    from
        generate_series(cast(:since as timestamp), cast(:day as timestamp) - interval '1 day', '1 day') as d,
        generate_series(cast(:first as int), cast(:last as int)) as h,
        generate_series(1, 18 + (extract(day from d)::int * 7 + h * 3) % 5) as n
    where d <> '2026-10-30'
"""
_PAYMENTS = f"""
    insert into {PAYMENTS}
    select extract(epoch from h)::bigint / 3600 * 100 + n, h + n * interval '2 minutes', 20 + n % 7, 1, null
    from
        generate_series(
            cast(:since as timestamp) at time zone 'Europe/Berlin',
            cast(:day as timestamp) at time zone 'Europe/Berlin' - interval '1 hour',
            '1 hour'
        ) as h,
        generate_series(1, 13 + (extract(epoch from h)::bigint / 3600 % 4)::int) as n
    where (h at time zone 'Europe/Berlin')::date <> '2026-10-30'
"""

EVENTS = {
    "six weeks of data": f"{_ORDERS}; {_PAYMENTS}",
    "load orders": _ORDERS,
    "load orders until noon": _ORDERS,
    "load the orders after noon": _ORDERS,
    "load payments": _PAYMENTS,
    "a rate becomes 0": "update raw.rates set rate = 0 where currency = 'USD'",
    "the rate is right again": "update raw.rates set rate = 1.1 where currency = 'USD'",
    "a code is no number": "insert into raw.codes values ('x')",
    "the code is removed": "delete from raw.codes where code = 'x'",
    "the app loses its visits": """
        delete from raw.visits where at >= '2026-10-22 10:00 Europe/Berlin' and at < '2026-10-23 00:00 Europe/Berlin'
    """,
    "a customer has no email": f"insert into {CUSTOMERS} values (21, null)",
    "the customer has an email": f"update {CUSTOMERS} set email = '21@example.com' where id = 21",
    "an order of Thursday is corrected": f"""
        update {ORDERS} set "сумма {{eur}}" = "сумма {{eur}}" + 1000
        where id = (select min(id) from {ORDERS} where "создан в" >= '2026-10-22 00:00 Europe/Berlin')
    """,
    "a payment has the rate 0": f"""
        update {PAYMENTS} set rate = 0 where id = (select max(id) from {PAYMENTS})
    """,
    "the payment has a rate": f"update {PAYMENTS} set rate = 1 where rate = 0",
    "the column is dropped": f"alter table {PAYMENTS} drop column {NOTE}",
    "the column is added again": f"alter table {PAYMENTS} add column {NOTE} text",
    "the inventory is dropped": "drop table raw.inventory",
    "the inventory is there again": """
        create table raw.inventory (sku text not null, stock integer not null);
        insert into raw.inventory select 'sku ' || n, 10 from generate_series(1, 5) as n
    """,
    "a customer is there twice": f"insert into {CUSTOMERS} values (1, 'double@example.com')",
    "the double is removed": f"delete from {CUSTOMERS} where email = 'double@example.com'",
}
HOURS = {"load orders until noon": (6, 11), "load the orders after noon": (12, 21)}
"""The local hours of the orders that a load brings, if these are not all of 6 to 21."""
