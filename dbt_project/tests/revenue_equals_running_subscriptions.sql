-- In past months, MRR, which the KPI adds up from changes, equals that of the last day.
with kpis as (

    select * from {{ ref('revenue_kpis') }}

),

subscriptions as (

    select * from {{ ref('stg_crm__subscriptions') }}

)

select
    kpis.month,
    kpis.plan,
    kpis.mrr,
    coalesce(sum(subscriptions.monthly_amount), 0) as running
from kpis
left join subscriptions
    on
        kpis.plan = subscriptions.plan
        and subscriptions.started_on < kpis.month + interval '1 month'
        and (
            subscriptions.ended_on is null
            or subscriptions.ended_on >= kpis.month + interval '1 month'
        )
where kpis.month < date_trunc('month', cast({{ as_of_date() }} as timestamp))
group by kpis.month, kpis.plan, kpis.mrr
having kpis.mrr <> coalesce(sum(subscriptions.monthly_amount), 0)
