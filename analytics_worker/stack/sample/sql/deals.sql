-- The course of every deal, hidden outcome included; the source tables show what of it has
-- happened by now. Ids follow the order of creation. Each step is materialized, because inlining
-- would draw its lots again for every use.
create temporary table sample_deal on commit drop as
with people as (
    select greatest(8, least(400, :opportunities / 1250)) as owners
),

placed as materialized (
    select
        n as deal_id,
        1 + floor(pg_temp.lot(n, 'account') ^ 1.3 * greatest(1, :opportunities / 4))::bigint as account_id,
        pg_temp.moment_of(clock, (n - pg_temp.lot(n, 'created')) / cast(:opportunities as double precision), n, 'hour') as created_at,
        (array['inbound', 'inbound', 'outbound', 'outbound', 'outbound', 'partner', 'referral', 'event'])
            [1 + floor(pg_temp.lot(n, 'source') * 8)::integer] as source,
        10 * round(exp(9.1 + 0.95 * pg_temp.bell(n, 'amount')) / 10) as amount
    from generate_series(1, cast(:opportunities as bigint)) as series (n)
    cross join sample_clock as clock
),

owned as materialized (
    select
        *,
        1 + floor(
            case when pg_temp.lot(deal_id, 'own account') < 0.85
                then pg_temp.lot(account_id, 'owner') else pg_temp.lot(deal_id, 'owner')
            end ^ 1.3 * (select owners from people)
        )::bigint as owner_id
    from placed
),

judged as materialized (
    select
        *,
        pg_temp.lot(deal_id, 'won') < least(0.7, greatest(0.05,
            0.25
            + 0.16 * (pg_temp.lot(owner_id, 'skill') - 0.5)
            + case source when 'referral' then 0.12 when 'partner' then 0.05 when 'outbound' then -0.05 else 0 end
            + case when extract(month from created_at) in (2, 5, 8, 11) then 0.03 else 0 end
            - 0.035 * ln(greatest(amount, 500) / 10000)
        )) as is_won,
        exp(3.55 + 0.55 * pg_temp.bell(deal_id, 'cycle'))
        * (greatest(amount, 500) / 10000) ^ 0.15
        * case when pg_temp.lot(deal_id, 'forgotten') < 0.05 then 6 else 1 end as cycle_days
    from owned
),

decided as materialized (
    select
        *,
        case
            when is_won then case when pg_temp.lot(deal_id, 'path') < 0.7 then 4 when pg_temp.lot(deal_id, 'path') < 0.95 then 3 else 2 end
            when pg_temp.lot(deal_id, 'path') < 0.36 then 1
            when pg_temp.lot(deal_id, 'path') < 0.66 then 2
            when pg_temp.lot(deal_id, 'path') < 0.87 then 3
            else 4
        end as steps,
        pg_temp.workday(created_at + cycle_days * interval '1 day') as ready_at
    from judged
)

select
    deal_id,
    account_id,
    owner_id,
    source,
    cast(greatest(amount, 250) as numeric) as amount,
    is_won,
    cycle_days,
    steps,
    created_at,
    -- one deal in four is signed in the last days of the month
    case
        when is_won and pg_temp.lot(deal_id, 'month end') < 0.25
            then greatest(ready_at, date_trunc('month', ready_at) + interval '1 month' - (0.3 + 2.5 * pg_temp.lot(deal_id, 'day')) * interval '1 day')
        else ready_at
    end as closes_at
from decided;

analyze sample_deal;
