alter table raw.owners add primary key (owner_id), add unique (email);
alter table raw.accounts add primary key (account_id), add foreign key (owner_id) references raw.owners;
alter table raw.opportunities
    add primary key (opportunity_id),
    add foreign key (account_id) references raw.accounts,
    add foreign key (owner_id) references raw.owners,
    add check (stage in ('prospecting', 'qualification', 'proposal', 'negotiation', 'closed_won', 'closed_lost')),
    add check ((closed_at is not null) = (stage in ('closed_won', 'closed_lost')));
alter table raw.opportunity_stage_history
    add primary key (stage_change_id),
    add foreign key (opportunity_id) references raw.opportunities;
alter table raw.activities
    add primary key (activity_id),
    add foreign key (owner_id) references raw.owners,
    add foreign key (account_id) references raw.accounts,
    add foreign key (opportunity_id) references raw.opportunities;
alter table raw.subscriptions
    add primary key (subscription_id),
    add unique (replaces_subscription_id),
    add foreign key (account_id) references raw.accounts,
    add foreign key (opportunity_id) references raw.opportunities,
    add foreign key (replaces_subscription_id) references raw.subscriptions,
    add check (ended_on > started_on);
alter table raw.invoices
    add primary key (invoice_id),
    add unique (invoice_number),
    add foreign key (subscription_id) references raw.subscriptions,
    add foreign key (account_id) references raw.accounts;
alter table raw.consents add primary key (consent_id), add foreign key (account_id) references raw.accounts;
alter table raw.erasure_requests add primary key (erasure_request_id), add foreign key (account_id) references raw.accounts;

create index on raw.accounts (owner_id);
create index on raw.accounts (updated_at);
create index on raw.opportunities (account_id);
create index on raw.opportunities (owner_id);
create index on raw.opportunities (updated_at);
create index on raw.opportunity_stage_history (opportunity_id, changed_at);
create index on raw.opportunity_stage_history (changed_at);
create index on raw.activities (opportunity_id);
create index on raw.activities (updated_at);
create index on raw.subscriptions (account_id);
create index on raw.subscriptions (opportunity_id);
create index on raw.subscriptions (updated_at);
create index on raw.invoices (subscription_id, issued_on);
create index on raw.invoices (due_on) where paid_at is null;
create index on raw.invoices (updated_at);
create index on raw.consents (account_id, purpose);
create index on raw.consents (updated_at);
create index on raw.erasure_requests (account_id);
create index on raw.erasure_requests (updated_at);
