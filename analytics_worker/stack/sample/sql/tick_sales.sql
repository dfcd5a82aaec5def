-- Some minutes of new business. What happens depends on the rows that are there, so the same
-- state and the same minutes give the same new rows.
drop table if exists pg_temp.sample_tick;
create temporary table sample_tick on commit drop as
with newest as (
    select greatest(
        (select max(updated_at) from raw.opportunities),
        (select max(updated_at) from raw.activities)
    ) as at
),

bounds as (
    select greatest(cast(:as_of as timestamptz), newest.at + :minutes * interval '1 minute') as until_at
    from newest
),

pace as (
    select :minutes / 43200.0 * greatest(1, count(*)) as deals
    from raw.opportunities, bounds
    where created_at > bounds.until_at - interval '30 days'
)

select
    bounds.until_at - :minutes * interval '1 minute' as from_at,
    bounds.until_at,
    cast(greatest(2, round(pace.deals)) as bigint) as deals,
    (select max(account_id) from raw.accounts) as last_account,
    (select max(opportunity_id) from raw.opportunities) as last_deal,
    (select max(stage_change_id) from raw.opportunity_stage_history) as last_move,
    (select max(activity_id) from raw.activities) as last_activity,
    (select max(subscription_id) from raw.subscriptions) as last_subscription,
    (select max(invoice_id) from raw.invoices) as last_invoice,
    (select max(consent_id) from raw.consents) as last_consent,
    (select coalesce(max(erasure_request_id), 0) from raw.erasure_requests) as last_erasure,
    (select array_agg(owner_id order by owner_id) from raw.owners where deleted_at is null) as owner_ids
from bounds
cross join pace;

create or replace function pg_temp.within_tick(id bigint, name text) returns timestamptz
language sql stable as $$
    select from_at + (0.05 + 0.95 * pg_temp.lot(id, name)) * (until_at - from_at) from pg_temp.sample_tick
$$;

-- New customers, their consent, and new deals.
insert into raw.accounts (account_id, owner_id, name, industry, country, employees, contact_name, contact_email, created_at, updated_at)
select
    tick.last_account + n,
    tick.owner_ids[1 + floor(pg_temp.lot(tick.last_account + n, 'owner') * cardinality(tick.owner_ids))::integer],
    pg_temp.one_of(array['Nørgaard', 'Ibáñez', 'Löwe', 'Bright', 'Ōkubo', 'Mazur'], tick.last_account + n, 'family')
    || ' ' || pg_temp.one_of(array['Labs', 'Foods', 'Energy', 'Systems'], tick.last_account + n, 'trade'),
    null,
    pg_temp.one_of(array['DE', 'FR', 'ES', 'GB', 'US', 'PL'], tick.last_account + n, 'country'),
    null,
    null,
    'contact' || (tick.last_account + n) || '@customer.example',
    tick.from_at,
    tick.from_at
from sample_tick as tick
cross join generate_series(1, (tick.deals + 3) / 4) as series (n);

insert into raw.consents (consent_id, account_id, purpose, granted_at, expires_at, updated_at)
select
    tick.last_consent + row_number() over (order by account.account_id),
    account.account_id,
    'marketing',
    pg_temp.within_tick(account.account_id, 'consents'),
    pg_temp.within_tick(account.account_id, 'consents') + interval '18 months',
    pg_temp.within_tick(account.account_id, 'consents')
from raw.accounts as account
inner join sample_tick as tick on account.account_id > tick.last_account
where pg_temp.lot(account.account_id, 'consents') < 0.8;

insert into raw.opportunities (
    opportunity_id, account_id, owner_id, name, source, stage, amount, expected_close_on, created_at, updated_at
)
with placed as (
    select
        tick.last_deal + n as deal_id,
        1 + floor(pg_temp.lot(tick.last_deal + n, 'account') * (select max(account_id) from raw.accounts))::bigint as account_id,
        pg_temp.within_tick(tick.last_deal + n, 'created') as created_at
    from sample_tick as tick
    cross join generate_series(1, tick.deals) as series (n)
)

select
    placed.deal_id,
    placed.account_id,
    coalesce(owner.owner_id, tick.owner_ids[1]),
    account.name || ' – new business',
    pg_temp.one_of(array['inbound', 'outbound', 'partner', 'referral'], placed.deal_id, 'source'),
    'prospecting',
    case when pg_temp.lot(placed.deal_id, 'no amount') >= 0.2
        then greatest(250, round(cast(exp(9.1 + 0.95 * pg_temp.bell(placed.deal_id, 'amount')) as numeric), -1))
    end,
    cast(placed.created_at + (20 + 40 * pg_temp.lot(placed.deal_id, 'guess')) * interval '1 day' as date),
    placed.created_at,
    placed.created_at
from placed
cross join sample_tick as tick
inner join raw.accounts as account on placed.account_id = account.account_id
left join raw.owners as owner on account.owner_id = owner.owner_id and owner.deleted_at is null;

-- Open deals move on: the new ones into the first stage, some old ones to the next or to the end.
drop table if exists pg_temp.sample_move;
create temporary table sample_move on commit drop as
with chosen as (
    select opportunity_id, stage
    from raw.opportunities
    cross join sample_tick as tick
    where closed_at is null and opportunity_id <= tick.last_deal
    order by pg_temp.lot(opportunity_id + tick.last_move, 'moves'), opportunity_id
    limit (select 2 * deals from sample_tick)
),

aimed as (
    select
        *,
        pg_temp.lot(opportunity_id + (select last_move from sample_tick), 'outcome') as outcome,
        array_position(array['prospecting', 'qualification', 'proposal', 'negotiation'], stage) as step
    from chosen
)

select
    opportunity_id,
    stage as from_stage,
    case
        when outcome < 0.3 then 'closed_lost'
        when step = 4 or (step = 3 and outcome > 0.9) then 'closed_won'
        else (array['qualification', 'proposal', 'negotiation'])[step]
    end as to_stage,
    pg_temp.within_tick(opportunity_id, 'moved') as moved_at
from aimed

union all

select opportunity_id, null, stage, created_at
from raw.opportunities
where opportunity_id > (select last_deal from sample_tick);

insert into raw.opportunity_stage_history (stage_change_id, opportunity_id, from_stage, to_stage, changed_at)
select
    (select last_move from sample_tick) + row_number() over (order by moved_at, opportunity_id),
    opportunity_id, from_stage, to_stage, moved_at
from sample_move;

update raw.opportunities as deal
set
    stage = move.to_stage,
    closed_at = case when move.to_stage in ('closed_won', 'closed_lost') then move.moved_at end,
    amount = case when move.to_stage = 'closed_won' then coalesce(deal.amount, 6000) else deal.amount end,
    lost_reason = case when move.to_stage = 'closed_lost' then 'no decision' end,
    updated_at = move.moved_at
from sample_move as move
where move.opportunity_id = deal.opportunity_id and move.from_stage is not null;

-- Outreach on open deals, and answers to what went out in the last days.
update raw.activities as activity
set
    replied_at = pg_temp.within_tick(activity.activity_id, 'answered'),
    meeting_booked_at = case when pg_temp.lot(activity.activity_id, 'meeting') < 0.35 then pg_temp.within_tick(activity.activity_id, 'answered') end,
    updated_at = pg_temp.within_tick(activity.activity_id, 'answered')
from (
    select activity_id
    from raw.activities
    cross join sample_tick as tick
    where activity_id > tick.last_activity - 400 and replied_at is null and occurred_at < tick.from_at
    order by pg_temp.lot(activity_id + tick.last_move, 'answers'), activity_id
    limit (select deals from sample_tick)
) as answered
where answered.activity_id = activity.activity_id;

insert into raw.activities (activity_id, owner_id, account_id, opportunity_id, channel, subject, occurred_at, updated_at)
select
    tick.last_activity + row_number() over (order by deal.draw, deal.opportunity_id),
    deal.owner_id,
    deal.account_id,
    deal.opportunity_id,
    pg_temp.one_of(array['email', 'email', 'phone', 'linkedin', 'event'], deal.opportunity_id + tick.last_activity, 'channel'),
    'Follow-up',
    pg_temp.within_tick(deal.opportunity_id, 'touch'),
    pg_temp.within_tick(deal.opportunity_id, 'touch')
from sample_tick as tick
cross join lateral (
    select opportunity_id, account_id, owner_id, pg_temp.lot(opportunity_id + tick.last_activity, 'touched') as draw
    from raw.opportunities
    where closed_at is null and opportunity_id <= tick.last_deal
    order by draw, opportunity_id
    limit 4 * tick.deals
) as deal;
