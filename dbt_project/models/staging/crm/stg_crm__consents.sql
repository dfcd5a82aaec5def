with source as (

    select * from {{ source('crm', 'consents') }}

),

final as (

    select
        consent_id,
        account_id,
        purpose,
        cast(granted_at at time zone 'utc' as date) as granted_on,
        cast(expires_at at time zone 'utc' as date) as expires_on,
        cast(withdrawn_at at time zone 'utc' as date) as withdrawn_on
    from source

)

select * from final
