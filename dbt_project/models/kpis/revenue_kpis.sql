{{
    config(
        group='finance',
        indexes=[{'columns': ['month', 'plan'], 'unique': true}],
    )
}}

with subscriptions as (

    select * from {{ ref('stg_crm__subscriptions') }}

),

invoices as (

    select * from {{ ref('stg_crm__invoices') }}

),

today as (

    select {{ as_of_date() }} as today

),

changes as (

    -- a subscription that starts on the day its predecessor ends continues it
    select
        subscriptions.plan,
        subscriptions.monthly_amount,
        subscriptions.started_on,
        previous.subscription_id as previous_id,
        previous.plan as previous_plan,
        previous.monthly_amount as previous_amount
    from subscriptions
    cross join today
    left join subscriptions as previous
        on
            subscriptions.replaces_subscription_id = previous.subscription_id
            and subscriptions.started_on = previous.ended_on
    where subscriptions.started_on <= today.today

),

movements as (

    select
        started_on as moved_on,
        plan,
        case when previous_id is null then monthly_amount else 0 end as new_mrr,
        case
            when previous_plan = plan then greatest(monthly_amount - previous_amount, 0)
            when previous_id is not null then monthly_amount
            else 0
        end as expansion_mrr,
        case
            when previous_plan = plan then greatest(previous_amount - monthly_amount, 0)
            else 0
        end as contraction_mrr,
        0 as churned_mrr
    from changes

    union all

    -- a customer who moved to another plan leaves this one
    select
        started_on as moved_on,
        previous_plan as plan,
        0 as new_mrr,
        0 as expansion_mrr,
        previous_amount as contraction_mrr,
        0 as churned_mrr
    from changes
    where previous_plan <> plan

    union all

    select
        subscriptions.ended_on as moved_on,
        subscriptions.plan,
        0 as new_mrr,
        0 as expansion_mrr,
        0 as contraction_mrr,
        subscriptions.monthly_amount as churned_mrr
    from subscriptions
    cross join today
    left join changes on subscriptions.subscription_id = changes.previous_id
    where
        subscriptions.ended_on <= today.today
        and changes.previous_id is null

),

moved as (

    select
        plan,
        cast(date_trunc('month', cast(moved_on as timestamp)) as date) as month,
        sum(new_mrr) as new_mrr,
        sum(expansion_mrr) as expansion_mrr,
        sum(contraction_mrr) as contraction_mrr,
        sum(churned_mrr) as churned_mrr
    from movements
    group by plan, cast(date_trunc('month', cast(moved_on as timestamp)) as date)

),

bills as (

    select
        subscriptions.plan,
        invoices.amount,
        invoices.issued_on,
        invoices.due_on,
        invoices.paid_on,
        today.today
    from invoices
    inner join subscriptions on invoices.subscription_id = subscriptions.subscription_id
    cross join today
    where invoices.issued_on <= today.today

),

invoiced as (

    select
        plan,
        cast(date_trunc('month', cast(issued_on as timestamp)) as date) as month,
        sum(amount) as invoiced_amount
    from bills
    group by plan, cast(date_trunc('month', cast(issued_on as timestamp)) as date)

),

collected as (

    select
        plan,
        cast(date_trunc('month', cast(paid_on as timestamp)) as date) as month,
        sum(amount) as collected_amount
    from bills
    where paid_on <= today
    group by plan, cast(date_trunc('month', cast(paid_on as timestamp)) as date)

),

late_bills as (

    -- one row per month that a bill which was not paid in time was open in
    select
        bills.plan,
        bills.amount,
        bills.due_on,
        bills.paid_on,
        cast(series.month as date) as month,
        least(cast(series.month + interval '1 month - 1 day' as date), bills.today) as last_day
    from bills
    cross join
        generate_series(
            date_trunc('month', cast(bills.due_on as timestamp)),
            cast(coalesce(bills.paid_on, bills.today) as timestamp),
            interval '1 month'
        ) as series (month)
    where bills.due_on < coalesce(bills.paid_on, bills.today)

),

overdue as (

    select
        plan,
        month,
        sum(amount) as overdue_amount
    from late_bills
    where
        due_on < last_day
        and (paid_on is null or paid_on > last_day)
    group by plan, month

),

first_month as (

    select date_trunc('month', cast(min(started_on) as timestamp)) as month
    from subscriptions

),

plans as (

    select distinct plan
    from subscriptions

),

calendar as (

    select
        plans.plan,
        cast(series.month as date) as month
    from plans
    cross join first_month
    cross join today
    cross join generate_series(
        first_month.month, cast(today.today as timestamp), interval '1 month'
    ) as series (month)

),

final as (

    select
        calendar.month,
        calendar.plan,
        cast(sum(
            coalesce(moved.new_mrr, 0) + coalesce(moved.expansion_mrr, 0)
            - coalesce(moved.contraction_mrr, 0) - coalesce(moved.churned_mrr, 0)
        ) over (partition by calendar.plan order by calendar.month) as numeric(14, 2)) as mrr,
        cast(coalesce(moved.new_mrr, 0) as numeric(14, 2)) as new_mrr,
        cast(coalesce(moved.expansion_mrr, 0) as numeric(14, 2)) as expansion_mrr,
        cast(coalesce(moved.contraction_mrr, 0) as numeric(14, 2)) as contraction_mrr,
        cast(coalesce(moved.churned_mrr, 0) as numeric(14, 2)) as churned_mrr,
        cast(coalesce(invoiced.invoiced_amount, 0) as numeric(14, 2)) as invoiced_amount,
        cast(coalesce(collected.collected_amount, 0) as numeric(14, 2)) as collected_amount,
        cast(coalesce(overdue.overdue_amount, 0) as numeric(14, 2)) as overdue_amount
    from calendar
    left join moved on calendar.plan = moved.plan and calendar.month = moved.month
    left join invoiced on calendar.plan = invoiced.plan and calendar.month = invoiced.month
    left join collected on calendar.plan = collected.plan and calendar.month = collected.month
    left join overdue on calendar.plan = overdue.plan and calendar.month = overdue.month

)

select * from final
