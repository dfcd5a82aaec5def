{{
    config(
        group='privacy',
        indexes=[{'columns': ['owner_id'], 'unique': true}],
    )
}}

with accounts as (

    select * from {{ ref('stg_crm__accounts') }}

),

consents as (

    select * from {{ ref('stg_crm__consents') }}

),

erasure_requests as (

    select * from {{ ref('stg_crm__erasure_requests') }}

),

owners as (

    select * from {{ ref('stg_crm__owners') }}

),

today as (

    select {{ as_of_date() }} as today

),

judged_consents as (

    select
        consents.account_id,
        case
            when consents.withdrawn_on <= today.today then 'withdrawn'
            when consents.expires_on <= today.today then 'expired'
            else 'valid'
        end as status,
        consents.granted_on,
        consents.consent_id
    from consents
    cross join today
    where
        consents.purpose = 'marketing'
        and consents.granted_on <= today.today

),

best_consents as (

    -- a valid consent counts, regardless of later ones; without one, the last consent decides
    select distinct on (account_id)
        account_id,
        status
    from judged_consents
    order by account_id asc, status = 'valid' desc, granted_on desc, consent_id desc

),

consent_counts as (

    select
        accounts.owner_id,
        count(*) as contacts,
        count(*) filter (where best_consents.status = 'valid') as consented_contacts,
        count(*) filter (where best_consents.status = 'expired') as expired_consents,
        count(*) filter (where best_consents.status = 'withdrawn') as withdrawn_consents,
        count(*) filter (where best_consents.status is null) as missing_consents
    from accounts
    left join best_consents on accounts.account_id = best_consents.account_id
    where accounts.has_contact
    group by accounts.owner_id

),

erasure_counts as (

    select
        accounts.owner_id,
        count(*) as open_erasures,
        count(*) filter (where erasure_requests.due_on < today.today) as overdue_erasures
    from erasure_requests
    inner join accounts on erasure_requests.account_id = accounts.account_id
    cross join today
    where erasure_requests.completed_on is null
    group by accounts.owner_id

),

final as (

    select
        owners.owner_id,
        owners.owner_name,
        owners.team,
        owners.is_active as is_active_owner,
        coalesce(consent_counts.contacts, 0) as contacts,
        coalesce(consent_counts.consented_contacts, 0) as consented_contacts,
        coalesce(consent_counts.expired_consents, 0) as expired_consents,
        coalesce(consent_counts.withdrawn_consents, 0) as withdrawn_consents,
        coalesce(consent_counts.missing_consents, 0) as missing_consents,
        cast(
            consent_counts.consented_contacts / cast(consent_counts.contacts as numeric)
            as numeric(5, 4)
        ) as consent_coverage,
        coalesce(erasure_counts.open_erasures, 0) as open_erasures,
        coalesce(erasure_counts.overdue_erasures, 0) as overdue_erasures
    from owners
    left join consent_counts on owners.owner_id = consent_counts.owner_id
    left join erasure_counts on owners.owner_id = erasure_counts.owner_id

)

select * from final
