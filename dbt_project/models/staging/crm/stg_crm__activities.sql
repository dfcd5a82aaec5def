with source as (

    select * from {{ source('crm', 'activities') }}

),

final as (

    select
        activity_id,
        coalesce(owner_id, 0) as owner_id,
        account_id,
        opportunity_id,
        channel,
        occurred_at,
        cast(date_trunc('week', occurred_at at time zone 'utc') as date) as week,
        replied_at is not null as has_reply,
        meeting_booked_at is not null as has_meeting
    from source

)

select * from final
