analyze raw.owners, raw.accounts, raw.opportunities, raw.opportunity_stage_history, raw.activities,
    raw.subscriptions, raw.invoices, raw.consents, raw.erasure_requests;
