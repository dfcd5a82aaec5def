with source as (

    select * from {{ source('crm', 'opportunities') }}

),

final as (

    select
        opportunity_id,
        account_id,
        coalesce(owner_id, 0) as owner_id,
        source as lead_source,
        stage,
        amount,
        expected_close_on,
        created_at,
        closed_at,
        stage = 'closed_won' as is_won,
        stage = 'closed_lost' as is_lost,
        stage not in ('closed_won', 'closed_lost') as is_open,
        cast(created_at at time zone 'utc' as date) as created_on,
        cast(closed_at at time zone 'utc' as date) as closed_on,
        extract(epoch from closed_at - created_at) / 86400 as cycle_days
    from source

)

select * from final
