-- In past months, the collected amount of the KPI equals the payments.
with kpis as (

    select
        month,
        sum(collected_amount) as collected
    from {{ ref('revenue_kpis') }}
    group by month

),

payments as (

    select
        cast(date_trunc('month', cast(paid_on as timestamp)) as date) as month,
        sum(amount) as paid
    from {{ ref('stg_crm__invoices') }}
    where paid_on is not null
    group by cast(date_trunc('month', cast(paid_on as timestamp)) as date)

)

select
    month,
    kpis.collected,
    payments.paid
from kpis
full outer join payments using (month)
where
    month < date_trunc('month', cast({{ as_of_date() }} as timestamp))
    and coalesce(kpis.collected, 0) <> coalesce(payments.paid, 0)
