-- How business spreads over the last three years: growth, seasons, weekdays, holidays, and only
-- the part of the last day that has passed. `until` is the share of all business up to that day.
create temporary table sample_calendar on commit drop as
with days as (
    select
        cast(day as date) as day,
        row_number() over (order by day) as day_number
    from generate_series(
        date_trunc('day', cast(:as_of as timestamptz)) - interval '1095 days',
        date_trunc('day', cast(:as_of as timestamptz)),
        interval '1 day'
    ) as series (day)
),

weights as (
    select
        day,
        (0.5 + day_number / 1096.0)
        * (array[0.95, 1.0, 1.2, 0.95, 1.0, 1.15, 0.75, 0.6, 1.15, 1.1, 1.15, 0.8])[extract(month from day)::integer]
        * (array[1.1, 1.15, 1.1, 1.0, 0.85, 0.08, 0.06])[extract(isodow from day)::integer]
        * case when to_char(day, 'MMDD') between '1223' and '1231' or to_char(day, 'MMDD') = '0101' then 0.25 else 1 end
        * (0.85 + 0.3 * pg_temp.lot(cast(to_char(day, 'YYYYMMDD') as bigint), 'day'))
        * case
            when day = cast(cast(:as_of as timestamptz) as date)
                then greatest(0.001, extract(epoch from cast(:as_of as timestamptz) - day) / 86400.0)
            else 1
        end as weight
    from days
)

select
    day,
    sum(weight) over (order by day) / sum(weight) over () as until
from weights;

-- One row: the calendar in a form that a share of business is looked up in quickly.
create temporary table sample_clock on commit drop as
select
    cast(:as_of as timestamptz) as as_of,
    min(day) as first_day,
    array_agg(cast(until as double precision) order by day) as untils
from sample_calendar;

create or replace function pg_temp.moment_of(clock sample_clock, share double precision, id bigint, name text)
returns timestamptz language sql stable parallel safe as $$
    select least(
        clock.as_of - pg_temp.lot(id, name) * least(interval '2 hours', clock.as_of - date_trunc('day', clock.as_of)),
        cast(clock.first_day + width_bucket(share, clock.untils) as timestamptz)
        + interval '8 hours'
        + (pg_temp.lot(id, name) + pg_temp.lot(id, name || '~')) * interval '5 hours 15 minutes'
    )
$$;
