-- Permission to contact a customer: given, renewed, expired, withdrawn, or never asked for.
insert into raw.consents (consent_id, account_id, purpose, granted_at, expires_at, withdrawn_at, updated_at)
with first_grants as (
    select
        account.account_id,
        purpose,
        account.account_id * 8 + purpose_number * 4 as seed,
        account.created_at + exp(2 + 1.2 * pg_temp.bell(account.account_id * 8 + purpose_number, 'granted')) * interval '1 day' as granted_at,
        case when pg_temp.lot(account.account_id * 8 + purpose_number, 'for ever') < 0.1 then null else interval '18 months' end as valid_for
    from raw.accounts as account
    cross join unnest(array['marketing', 'profiling']) with ordinality as purposes (purpose, purpose_number)
    where pg_temp.lot(account.account_id * 8 + purpose_number, 'consents') < case purpose when 'marketing' then 0.9 else 0.45 end
),

grants as (
    select account_id, purpose, seed, granted_at, valid_for
    from first_grants

    union all

    select account_id, purpose, seed + 1, granted_at + valid_for - pg_temp.lot(seed, 'renewed') * interval '30 days', valid_for
    from first_grants
    where valid_for is not null and pg_temp.lot(seed, 'renews') < 0.72
),

timed as (
    select
        *,
        case when pg_temp.lot(seed, 'withdraws') < 0.06
            then granted_at + pg_temp.lot(seed, 'withdrawn') * interval '400 days'
        end as withdrawn_at
    from grants
)

select
    row_number() over (order by timed.granted_at, timed.seed),
    timed.account_id,
    timed.purpose,
    timed.granted_at,
    timed.granted_at + timed.valid_for,
    case when timed.withdrawn_at <= clock.as_of then timed.withdrawn_at end,
    case when timed.withdrawn_at <= clock.as_of then timed.withdrawn_at else timed.granted_at end
from timed
cross join sample_clock as clock
where timed.granted_at <= clock.as_of;

-- Requests to erase personal data: thirty days by law, most in time, a few forgotten.
insert into raw.erasure_requests (erasure_request_id, account_id, requested_at, due_on, completed_at, updated_at)
with requested as (
    select
        account.account_id,
        account.created_at + (0.2 + 0.8 * pg_temp.lot(account.account_id, 'erase day')) * (clock.as_of - account.created_at) as requested_at,
        clock.as_of
    from raw.accounts as account
    cross join sample_clock as clock
    where pg_temp.lot(account.account_id, 'erase') < 0.03
),

handled as (
    select
        *,
        case
            when pg_temp.lot(account_id, 'erased') < 0.84 then requested_at + (2 + 26 * pg_temp.lot(account_id, 'erased after')) * interval '1 day'
            when pg_temp.lot(account_id, 'erased') < 0.95 then requested_at + (31 + 40 * pg_temp.lot(account_id, 'erased after')) * interval '1 day'
        end as completed_at
    from requested
)

select
    row_number() over (order by requested_at, account_id),
    account_id,
    requested_at,
    cast(requested_at as date) + 30,
    case when completed_at <= as_of then completed_at end,
    case when completed_at <= as_of then completed_at else requested_at end
from handled;

update raw.accounts as account
set contact_name = null, contact_email = null, updated_at = greatest(account.updated_at, request.completed_at)
from raw.erasure_requests as request
where request.account_id = account.account_id and request.completed_at is not null;
