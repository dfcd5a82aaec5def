-- In past weeks, the KPI has as many touches as staging.
with kpis as (

    select
        week,
        sum(touches) as touches
    from {{ ref('outreach_kpis') }}
    group by week

),

activities as (

    select
        week,
        count(*) as touches
    from {{ ref('stg_crm__activities') }}
    group by week

)

select
    week,
    kpis.touches as kpi_touches,
    activities.touches as staged_touches
from kpis
full outer join activities using (week)
where
    week < date_trunc('week', cast({{ as_of_date() }} as timestamp))
    and kpis.touches is distinct from activities.touches
