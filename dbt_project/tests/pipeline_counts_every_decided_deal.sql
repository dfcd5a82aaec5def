-- In past months, the KPI and staging have the same number and value of decided deals.
with kpis as (

    select
        month,
        sum(won_opportunities) as won,
        sum(lost_opportunities) as lost,
        sum(won_value) as won_value
    from {{ ref('pipeline_kpis') }}
    where won_opportunities + lost_opportunities > 0
    group by month

),

opportunities as (

    select
        cast(date_trunc('month', cast(closed_on as timestamp)) as date) as month,
        count(*) filter (where is_won) as won,
        count(*) filter (where is_lost) as lost,
        coalesce(sum(amount) filter (where is_won), 0) as won_value
    from {{ ref('stg_crm__opportunities') }}
    where not is_open
    group by cast(date_trunc('month', cast(closed_on as timestamp)) as date)

)

select
    month,
    kpis.won as kpi_won,
    opportunities.won as staged_won
from kpis
full outer join opportunities using (month)
where
    month < date_trunc('month', cast({{ as_of_date() }} as timestamp))
    and (kpis.won, kpis.lost, kpis.won_value)
    is distinct from (opportunities.won, opportunities.lost, opportunities.won_value)
