with source as (

    select * from {{ source('crm', 'subscriptions') }}

),

final as (

    select
        subscription_id,
        account_id,
        replaces_subscription_id,
        plan,
        monthly_amount,
        started_on,
        ended_on
    from source

)

select * from final
