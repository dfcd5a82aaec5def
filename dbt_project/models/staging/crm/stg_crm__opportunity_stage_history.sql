with source as (

    select * from {{ source('crm', 'opportunity_stage_history') }}

),

final as (

    select
        stage_change_id,
        opportunity_id,
        from_stage,
        to_stage,
        changed_at,
        to_stage in ('closed_won', 'closed_lost') as is_decision
    from source

)

select * from final
