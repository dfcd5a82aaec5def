{{
    config(
        group='sales',
        indexes=[
            {'columns': ['owner_id', 'channel', 'week'], 'unique': true},
            {'columns': ['week']},
        ],
    )
}}

with activities as (

    select * from {{ ref('stg_crm__activities') }}

),

owners as (

    select * from {{ ref('stg_crm__owners') }}

),

counted as (

    select
        owner_id,
        channel,
        week,
        count(*) as touches,
        count(*) filter (where has_reply) as replies,
        count(*) filter (where has_meeting) as meetings
    from activities
    group by owner_id, channel, week

),

final as (

    select
        counted.owner_id,
        owners.owner_name,
        owners.team,
        counted.channel,
        counted.week,
        counted.touches,
        counted.replies,
        counted.meetings,
        cast(counted.replies / cast(counted.touches as numeric) as numeric(5, 4)) as reply_rate,
        cast(counted.meetings / cast(counted.touches as numeric) as numeric(5, 4)) as meeting_rate
    from counted
    inner join owners on counted.owner_id = owners.owner_id

)

select * from final
