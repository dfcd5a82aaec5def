-- Touches around each deal, and cold outreach to customers without one.
insert into raw.activities (
    activity_id, owner_id, account_id, opportunity_id, channel, subject, occurred_at, replied_at, meeting_booked_at, updated_at
)
with touches as (
    select
        deal.deal_id * 16 + n as seed,
        deal.owner_id,
        deal.account_id,
        deal.deal_id as opportunity_id,
        deal.is_won,
        pg_temp.workday(
            deal.created_at + pg_temp.lot(deal.deal_id * 16 + n, 'when') * (least(deal.closes_at, clock.as_of) - deal.created_at)
        ) as occurred_at
    from sample_deal as deal
    cross join sample_clock as clock
    cross join generate_series(1, least(14, 1 + floor(exp(0.75 + 0.7 * pg_temp.bell(deal.deal_id, 'touches')))::integer)) as series (n)

    union all

    select
        deal.deal_id * 16 + 15,
        deal.owner_id,
        1 + floor(pg_temp.lot(deal.deal_id, 'cold') * (select count(*) from raw.accounts))::bigint,
        null,
        false,
        deal.created_at + pg_temp.lot(deal.deal_id, 'cold day') * interval '7 days'
    from sample_deal as deal
),

reached as (
    select
        *,
        (array['email', 'email', 'email', 'email', 'email', 'phone', 'phone', 'phone', 'linkedin', 'linkedin', 'event'])
            [1 + floor(pg_temp.lot(seed, 'channel') * 11)::integer] as channel
    from touches
),

answered as (
    select
        *,
        case when pg_temp.lot(seed, 'reply')
            < (case channel when 'email' then 0.16 when 'phone' then 0.3 when 'linkedin' then 0.12 else 0.45 end)
            * case when is_won then 1.5 when opportunity_id is null then 0.5 else 0.9 end
            then occurred_at + exp(2.2 + 1.3 * pg_temp.bell(seed, 'reply after')) * interval '1 hour'
        end as replied_at
    from reached
),

seen as (
    select
        answered.*,
        clock.as_of,
        case when answered.replied_at <= clock.as_of then answered.replied_at end as reply_seen_at
    from answered
    cross join sample_clock as clock
    where answered.occurred_at <= clock.as_of
)

select
    row_number() over (order by occurred_at, seed),
    case when pg_temp.lot(seed, 'unassigned') >= 0.01 then owner_id end,
    account_id,
    opportunity_id,
    channel,
    case when pg_temp.lot(seed, 'no subject') >= 0.25
        then pg_temp.one_of(array['Introduction', 'Follow-up', 'Pricing', 'Demo', 'Contract', 'Check-in', 'Relance', 'Rückfrage'], seed, 'subject')
    end,
    occurred_at,
    reply_seen_at,
    case when pg_temp.lot(seed, 'meeting') < 0.32 then reply_seen_at end,
    coalesce(reply_seen_at, occurred_at)
from seen;
