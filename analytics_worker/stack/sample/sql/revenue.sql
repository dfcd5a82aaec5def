-- Customers from before the first deal on record, and those that the won deals brought. A third
-- changes the plan or the number of seats once: one subscription ends, the next replaces it.
create temporary table sample_subscription on commit drop as
with signed as (
    select
        n as seed,
        1 + floor(pg_temp.lot(n, 'early account') * (select count(*) from raw.accounts))::bigint as account_id,
        cast(null as bigint) as opportunity_id,
        round(cast(exp(9.0 + 0.9 * pg_temp.bell(n, 'early amount')) as numeric), -1) as amount,
        cast(clock.first_day + (45 - 775 * (1 - sqrt(pg_temp.lot(n, 'early')))) * interval '1 day' as date) as started_on
    from generate_series(1, greatest(1, cast(:opportunities as bigint) / 30)) as series (n)
    cross join sample_clock as clock

    union all

    select
        deal_id + :opportunities,
        account_id,
        deal_id,
        amount,
        cast(closes_at + pg_temp.lot(deal_id, 'start') * interval '14 days' as date)
    from sample_deal
    where is_won and pg_temp.lot(deal_id, 'recurring') < 0.8
),

planned as (
    select
        *,
        pg_temp.plan_for(amount) as plan,
        round(amount / 12, 2) as monthly_amount
    from signed
),

fated as (
    select
        *,
        started_on + cast(30.4 * greatest(1, -ln(1 - pg_temp.lot(seed, 'life'))
            / case plan when 'starter' then 0.028 when 'growth' then 0.016 else 0.008 end) as integer) as leaves_on,
        case when pg_temp.lot(seed, 'change') < 0.34
            then started_on + cast(30.4 * exp(2.2 + 0.5 * pg_temp.bell(seed, 'change after')) as integer)
        end as changes_on,
        round(monthly_amount * cast(case when pg_temp.lot(seed, 'shrink') < 0.18
            then 0.55 + 0.35 * pg_temp.lot(seed, 'new size')
            else 1.1 + 0.7 * pg_temp.lot(seed, 'new size') ^ 2
        end as numeric), 2) as changed_amount
    from planned
)

select
    fated.*,
    coalesce(changes_on < leaves_on, false) as is_changed,
    case when coalesce(changes_on < leaves_on, false) then changes_on else leaves_on end as first_ends_on,
    cast(clock.as_of as date) as today
from fated
cross join sample_clock as clock
where started_on <= cast(clock.as_of as date);

insert into raw.subscriptions (
    subscription_id, account_id, opportunity_id, replaces_subscription_id, plan, monthly_amount,
    started_on, ended_on, end_reason, updated_at
)
with periods as (
    select
        seed * 2 as seed,
        null as replaces_seed,
        account_id, opportunity_id, plan, monthly_amount, started_on, first_ends_on as ends_on, is_changed, today
    from sample_subscription

    union all

    select
        seed * 2 + 1,
        seed * 2,
        account_id, opportunity_id, pg_temp.plan_for(changed_amount * 12), changed_amount, changes_on, leaves_on, false, today
    from sample_subscription
    where is_changed and changes_on <= today
),

numbered as (
    select
        *,
        row_number() over (order by started_on, seed) as subscription_id
    from periods
)

select
    period.subscription_id,
    period.account_id,
    period.opportunity_id,
    previous.subscription_id,
    period.plan,
    period.monthly_amount,
    period.started_on,
    case when period.ends_on <= period.today then period.ends_on end,
    case
        when period.ends_on > period.today then null
        when period.is_changed then 'changed'
        when pg_temp.lot(period.seed, 'no reason') >= 0.2
            then pg_temp.one_of(array['price', 'not used', 'competitor', 'insolvent', 'merged'], period.seed, 'left for')
    end,
    least(
        clock.as_of,
        cast(case when period.ends_on <= period.today then period.ends_on else period.started_on end as timestamptz)
        + pg_temp.lot(period.seed, 'touched') * interval '20 hours'
    )
from numbered as period
cross join sample_clock as clock
left join numbered as previous on period.replaces_seed = previous.seed;

-- A bill a month in advance. Whether it is paid in time depends on the customer as much as on chance.
insert into raw.invoices (
    invoice_id, subscription_id, account_id, invoice_number, amount, issued_on, due_on, paid_at, updated_at
)
with issued as (
    select
        subscription.subscription_id,
        subscription.account_id,
        subscription.monthly_amount as amount,
        cast(period as date) as issued_on,
        cast(period as date) + case subscription.plan when 'starter' then 14 when 'growth' then 30 else 45 end as due_on,
        subscription.subscription_id * 128 + row_number() over (partition by subscription.subscription_id order by period) as seed
    from raw.subscriptions as subscription
    cross join sample_clock as clock
    cross join generate_series(
        cast(subscription.started_on as timestamptz),
        coalesce(subscription.ended_on - 1, clock.as_of),
        interval '1 month'
    ) as series (period)
),

behaved as (
    select
        *,
        (pg_temp.lot(account_id, 'payer') + pg_temp.lot(seed, 'payer')) / 2 as delay
    from issued
),

settled as (
    select
        *,
        case
            when delay < 0.70 then due_on - (due_on - issued_on) * pg_temp.lot(seed, 'days') * interval '1 day'
            when delay < 0.88 then due_on + (1 + exp(2.1 + 0.8 * pg_temp.bell(seed, 'late'))) * interval '1 day'
            when delay < 0.965 then due_on + (45 + 150 * pg_temp.lot(seed, 'late')) * interval '1 day'
        end as pays_at
    from behaved
)

select
    row_number() over (order by settled.issued_on, settled.seed),
    settled.subscription_id,
    settled.account_id,
    to_char(settled.issued_on, '"INV-"YYYY-') || to_char(row_number() over (order by settled.issued_on, settled.seed), 'FM00000000'),
    settled.amount,
    settled.issued_on,
    settled.due_on,
    case when settled.pays_at <= clock.as_of then settled.pays_at end,
    case when settled.pays_at <= clock.as_of then settled.pays_at else least(clock.as_of, settled.issued_on + interval '6 hours') end
from settled
cross join sample_clock as clock;
