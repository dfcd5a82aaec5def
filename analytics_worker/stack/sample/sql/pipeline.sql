-- Each deal walks some of the open stages and then closes; what lies in the future stays out.
insert into raw.opportunity_stage_history (stage_change_id, opportunity_id, from_stage, to_stage, changed_at)
with steps as (
    select
        deal.deal_id,
        step,
        deal.steps,
        deal.is_won,
        case
            when step = 1 then deal.created_at
            when step > deal.steps then deal.closes_at
            else deal.created_at + (deal.closes_at - deal.created_at)
                * ((step - 1 + 0.7 * (pg_temp.lot(deal.deal_id * 8 + step, 'step') - 0.5)) / deal.steps)
        end as changed_at
    from sample_deal as deal
    cross join generate_series(1, deal.steps + 1) as series (step)
),

named as (
    select
        deal_id,
        changed_at,
        case
            when step <= steps then (array['prospecting', 'qualification', 'proposal', 'negotiation'])[step]
            when is_won then 'closed_won'
            else 'closed_lost'
        end as to_stage,
        (array['prospecting', 'qualification', 'proposal', 'negotiation'])[step - 1] as from_stage
    from steps
)

select
    row_number() over (order by named.changed_at, named.deal_id, named.from_stage nulls first),
    named.deal_id,
    named.from_stage,
    named.to_stage,
    named.changed_at
from named
cross join sample_clock as clock
where named.changed_at <= clock.as_of;

insert into raw.opportunities (
    opportunity_id, account_id, owner_id, name, source, stage, amount, expected_close_on, lost_reason,
    created_at, closed_at, updated_at
)
with reached as (
    select distinct on (opportunity_id) opportunity_id, to_stage, changed_at
    from raw.opportunity_stage_history
    order by opportunity_id asc, stage_change_id desc
)

select
    deal.deal_id,
    deal.account_id,
    case when pg_temp.lot(deal.deal_id, 'unassigned') >= 0.012 then deal.owner_id end,
    account.name || pg_temp.one_of(array[' – new business', ' – extension', ' – pilot', ' – renewal', ' – roll-out'], deal.deal_id, 'name'),
    deal.source,
    reached.to_stage,
    case when reached.to_stage in ('prospecting', 'qualification', 'closed_lost') and pg_temp.lot(deal.deal_id, 'no amount') < 0.2
        then null else deal.amount
    end,
    case when pg_temp.lot(deal.deal_id, 'no date') >= 0.04
        then cast(deal.created_at + least(deal.cycle_days, 120) * (0.6 + 0.7 * pg_temp.lot(deal.deal_id, 'guess')) * interval '1 day' as date)
    end,
    case when reached.to_stage = 'closed_lost' and pg_temp.lot(deal.deal_id, 'no reason') >= 0.15
        then pg_temp.one_of(array['price', 'price', 'competitor', 'no budget', 'no decision', 'no decision', 'timing'], deal.deal_id, 'reason')
    end,
    deal.created_at,
    case when reached.to_stage in ('closed_won', 'closed_lost') then reached.changed_at end,
    reached.changed_at
from sample_deal as deal
inner join reached on deal.deal_id = reached.opportunity_id
inner join raw.accounts as account on deal.account_id = account.account_id;
