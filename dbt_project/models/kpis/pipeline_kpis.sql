{{
    config(
        group='sales',
        indexes=[
            {'columns': ['owner_id', 'stage', 'month'], 'unique': true},
            {'columns': ['month']},
        ],
    )
}}

with opportunities as (

    select * from {{ ref('stg_crm__opportunities') }}

),

stage_changes as (

    select * from {{ ref('stg_crm__opportunity_stage_history') }}

),

owners as (

    select * from {{ ref('stg_crm__owners') }}

),

decisions as (

    -- a reopened deal was decided more than once; the last decision counts
    select distinct on (opportunity_id)
        opportunity_id,
        from_stage
    from stage_changes
    where is_decision
    order by opportunity_id asc, changed_at desc, stage_change_id desc

),

placed as (

    select
        opportunities.opportunity_id,
        opportunities.owner_id,
        opportunities.is_open,
        opportunities.is_won,
        opportunities.is_lost,
        opportunities.amount,
        opportunities.cycle_days,
        case
            when opportunities.is_open then opportunities.stage
            else coalesce(decisions.from_stage, 'unknown')
        end as stage,
        cast(date_trunc(
            'month',
            cast(coalesce(
                opportunities.closed_on,
                opportunities.expected_close_on,
                {{ as_of_date() }}
            ) as timestamp)
        ) as date) as month
    from opportunities
    left join decisions on opportunities.opportunity_id = decisions.opportunity_id

),

summed as (

    select
        owner_id,
        stage,
        month,
        count(*) filter (where is_open) as open_opportunities,
        count(*) filter (where is_won) as won_opportunities,
        count(*) filter (where is_lost) as lost_opportunities,
        coalesce(sum(amount) filter (where is_open), 0) as open_value,
        coalesce(sum(amount) filter (where is_won), 0) as won_value,
        coalesce(sum(amount) filter (where is_lost), 0) as lost_value,
        avg(cycle_days) filter (where not is_open) as avg_cycle_days
    from placed
    group by owner_id, stage, month

),

final as (

    select
        summed.owner_id,
        owners.owner_name,
        owners.team,
        summed.stage,
        summed.month,
        summed.open_opportunities,
        summed.won_opportunities,
        summed.lost_opportunities,
        cast(summed.open_value as numeric(14, 2)) as open_value,
        cast(summed.won_value as numeric(14, 2)) as won_value,
        cast(summed.lost_value as numeric(14, 2)) as lost_value,
        cast(
            summed.won_opportunities
            / nullif(cast(summed.won_opportunities + summed.lost_opportunities as numeric), 0)
            as numeric(5, 4)
        ) as win_rate,
        cast(summed.avg_cycle_days as numeric(8, 1)) as avg_cycle_days
    from summed
    inner join owners on summed.owner_id = owners.owner_id

)

select * from final
