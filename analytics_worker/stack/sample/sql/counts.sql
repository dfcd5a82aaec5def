-- Ids are dense and start at one, so the newest is the count, however large the table.
select
    (select coalesce(max(owner_id), 0) from raw.owners) as owners,
    (select coalesce(max(account_id), 0) from raw.accounts) as accounts,
    (select coalesce(max(opportunity_id), 0) from raw.opportunities) as opportunities,
    (select coalesce(max(stage_change_id), 0) from raw.opportunity_stage_history) as stage_changes,
    (select coalesce(max(activity_id), 0) from raw.activities) as activities,
    (select coalesce(max(subscription_id), 0) from raw.subscriptions) as subscriptions,
    (select coalesce(max(invoice_id), 0) from raw.invoices) as invoices,
    (select coalesce(max(consent_id), 0) from raw.consents) as consents,
    (select coalesce(max(erasure_request_id), 0) from raw.erasure_requests) as erasure_requests
