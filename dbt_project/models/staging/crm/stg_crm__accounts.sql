with source as (

    select * from {{ source('crm', 'accounts') }}

),

final as (

    select
        account_id,
        coalesce(owner_id, 0) as owner_id,
        name as account_name,
        industry,
        country,
        employees,
        contact_email is not null as has_contact,
        created_at
    from source

)

select * from final
