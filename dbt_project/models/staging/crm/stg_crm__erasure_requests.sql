with source as (

    select * from {{ source('crm', 'erasure_requests') }}

),

final as (

    select
        erasure_request_id,
        account_id,
        cast(requested_at at time zone 'utc' as date) as requested_on,
        due_on,
        cast(completed_at at time zone 'utc' as date) as completed_on
    from source

)

select * from final
