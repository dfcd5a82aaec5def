-- Every contact is consented, expired, withdrawn or missing, never two of these.
with kpis as (

    select * from {{ ref('compliance_kpis') }}

)

select
    owner_id,
    contacts,
    consented_contacts,
    expired_consents,
    withdrawn_consents,
    missing_consents
from kpis
where
    contacts <> consented_contacts + expired_consents + withdrawn_consents + missing_consents
    or overdue_erasures > open_erasures
