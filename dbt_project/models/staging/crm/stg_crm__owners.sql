with source as (

    select * from {{ source('crm', 'owners') }}

),

known as (

    select
        owner_id,
        full_name as owner_name,
        team,
        hired_on,
        deleted_at,
        deleted_at is null as is_active
    from source

),

unassigned as (

    -- rows without an owner refer to this one, so that keys are never null
    select
        0 as owner_id,
        'Unassigned' as owner_name,
        'None' as team,
        cast(null as date) as hired_on,
        cast(null as timestamptz) as deleted_at,
        false as is_active

),

final as (

    select * from known
    union all
    select * from unassigned

)

select * from final
