comment on schema raw is 'Sample sources: made-up data as a CRM and a billing system would deliver it';

comment on table raw.owners is 'Salespeople. One row per person, also those who have left';
comment on column raw.owners.owner_id is 'Key';
comment on column raw.owners.full_name is 'First and last name';
comment on column raw.owners.email is 'Address at work, unique';
comment on column raw.owners.team is 'Sales region';
comment on column raw.owners.hired_on is 'First day at work';
comment on column raw.owners.deleted_at is 'When the person left; empty while they work here';
comment on column raw.owners.updated_at is 'Last change of the row';

comment on table raw.accounts is 'Customers and prospects. One row per company';
comment on column raw.accounts.account_id is 'Key';
comment on column raw.accounts.owner_id is 'Salesperson in charge; null if none';
comment on column raw.accounts.name is 'Company name with legal form';
comment on column raw.accounts.industry is 'Trade, where known';
comment on column raw.accounts.country is 'ISO 3166-1 alpha-2 code';
comment on column raw.accounts.employees is 'Head count, where known';
comment on column raw.accounts.contact_name is 'Person we talk to; empty after erasure';
comment on column raw.accounts.contact_email is 'Their address; empty when unknown or after erasure';
comment on column raw.accounts.created_at is 'When the company was first recorded';
comment on column raw.accounts.updated_at is 'Last change of the row';

comment on table raw.opportunities is 'Deals. One row per opportunity with its current stage';
comment on column raw.opportunities.opportunity_id is 'Key';
comment on column raw.opportunities.account_id is 'Customer';
comment on column raw.opportunities.owner_id is 'Salesperson in charge; null if none';
comment on column raw.opportunities.name is 'What is sold to whom';
comment on column raw.opportunities.source is 'How the deal came about';
comment on column raw.opportunities.stage is 'prospecting, qualification, proposal, negotiation, closed_won or closed_lost';
comment on column raw.opportunities.amount is 'Value of the contract in EUR per year; empty until estimated';
comment on column raw.opportunities.expected_close_on is 'When the salesperson expects the decision';
comment on column raw.opportunities.lost_reason is 'Why a lost deal was lost, where recorded';
comment on column raw.opportunities.created_at is 'When the deal was recorded';
comment on column raw.opportunities.closed_at is 'When it was won or lost; empty while open';
comment on column raw.opportunities.updated_at is 'Last change of the row';

comment on table raw.opportunity_stage_history is 'One row per move of an opportunity into a stage';
comment on column raw.opportunity_stage_history.stage_change_id is 'Key';
comment on column raw.opportunity_stage_history.opportunity_id is 'Deal that moved';
comment on column raw.opportunity_stage_history.from_stage is 'Stage before; empty for the first';
comment on column raw.opportunity_stage_history.to_stage is 'Stage after';
comment on column raw.opportunity_stage_history.changed_at is 'When it moved';

comment on table raw.activities is 'Outreach. One row per touch of a customer';
comment on column raw.activities.activity_id is 'Key';
comment on column raw.activities.owner_id is 'Who reached out; empty for automatic mail';
comment on column raw.activities.account_id is 'Customer';
comment on column raw.activities.opportunity_id is 'Deal it belongs to; empty for cold outreach';
comment on column raw.activities.channel is 'email, phone, linkedin or event';
comment on column raw.activities.subject is 'Subject line, where there is one';
comment on column raw.activities.occurred_at is 'When it happened';
comment on column raw.activities.replied_at is 'When the customer answered; empty without an answer';
comment on column raw.activities.meeting_booked_at is 'When a meeting was agreed; empty without one';
comment on column raw.activities.updated_at is 'Last change of the row';

comment on table raw.subscriptions is 'Recurring contracts. A change of price or plan ends one row and starts another that replaces it';
comment on column raw.subscriptions.subscription_id is 'Key';
comment on column raw.subscriptions.account_id is 'Customer';
comment on column raw.subscriptions.opportunity_id is 'Won deal it came from; empty for older customers';
comment on column raw.subscriptions.replaces_subscription_id is 'The subscription that this one replaces, if any';
comment on column raw.subscriptions.plan is 'starter, growth or enterprise';
comment on column raw.subscriptions.monthly_amount is 'Price in EUR per month';
comment on column raw.subscriptions.started_on is 'First day';
comment on column raw.subscriptions.ended_on is 'First day without it; empty while it runs';
comment on column raw.subscriptions.end_reason is 'Why it ended, where recorded; changed when it was replaced';
comment on column raw.subscriptions.updated_at is 'Last change of the row';

comment on table raw.invoices is 'One row per bill, a month in advance';
comment on column raw.invoices.invoice_id is 'Key';
comment on column raw.invoices.subscription_id is 'Subscription that is billed';
comment on column raw.invoices.account_id is 'Customer';
comment on column raw.invoices.invoice_number is 'Number on the bill, unique';
comment on column raw.invoices.amount is 'Amount in EUR';
comment on column raw.invoices.issued_on is 'Date of the bill';
comment on column raw.invoices.due_on is 'Last day to pay in time';
comment on column raw.invoices.paid_at is 'When it was paid; empty while open';
comment on column raw.invoices.updated_at is 'Last change of the row';

comment on table raw.consents is 'One row per permission to use contact data for a purpose';
comment on column raw.consents.consent_id is 'Key';
comment on column raw.consents.account_id is 'Customer';
comment on column raw.consents.purpose is 'marketing or profiling';
comment on column raw.consents.granted_at is 'When it was given';
comment on column raw.consents.expires_at is 'When it expires; null if it never does';
comment on column raw.consents.withdrawn_at is 'When it was taken back; empty otherwise';
comment on column raw.consents.updated_at is 'Last change of the row';

comment on table raw.erasure_requests is 'One row per request to erase personal data';
comment on column raw.erasure_requests.erasure_request_id is 'Key';
comment on column raw.erasure_requests.account_id is 'Customer';
comment on column raw.erasure_requests.requested_at is 'When it arrived';
comment on column raw.erasure_requests.due_on is 'Last day to comply';
comment on column raw.erasure_requests.completed_at is 'When the data was erased; empty while open';
comment on column raw.erasure_requests.updated_at is 'Last change of the row';
