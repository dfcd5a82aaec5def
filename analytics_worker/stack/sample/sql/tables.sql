-- The sources of the sample warehouse: what a CRM and a billing system would deliver.
create schema if not exists raw;

create table raw.owners (
    owner_id bigint not null,
    full_name text not null,
    email text not null,
    team text not null,
    hired_on date not null,
    deleted_at timestamptz,
    updated_at timestamptz not null
);

create table raw.accounts (
    account_id bigint not null,
    owner_id bigint,
    name text not null,
    industry text,
    country text not null,
    employees integer,
    contact_name text,
    contact_email text,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create table raw.opportunities (
    opportunity_id bigint not null,
    account_id bigint not null,
    owner_id bigint,
    name text not null,
    source text not null,
    stage text not null,
    amount numeric(12, 2),
    expected_close_on date,
    lost_reason text,
    created_at timestamptz not null,
    closed_at timestamptz,
    updated_at timestamptz not null
);

create table raw.opportunity_stage_history (
    stage_change_id bigint not null,
    opportunity_id bigint not null,
    from_stage text,
    to_stage text not null,
    changed_at timestamptz not null
);

create table raw.activities (
    activity_id bigint not null,
    owner_id bigint,
    account_id bigint not null,
    opportunity_id bigint,
    channel text not null,
    subject text,
    occurred_at timestamptz not null,
    replied_at timestamptz,
    meeting_booked_at timestamptz,
    updated_at timestamptz not null
);

create table raw.subscriptions (
    subscription_id bigint not null,
    account_id bigint not null,
    opportunity_id bigint,
    replaces_subscription_id bigint,
    plan text not null,
    monthly_amount numeric(12, 2) not null,
    started_on date not null,
    ended_on date,
    end_reason text,
    updated_at timestamptz not null
);

create table raw.invoices (
    invoice_id bigint not null,
    subscription_id bigint not null,
    account_id bigint not null,
    invoice_number text not null,
    amount numeric(12, 2) not null,
    issued_on date not null,
    due_on date not null,
    paid_at timestamptz,
    updated_at timestamptz not null
);

create table raw.consents (
    consent_id bigint not null,
    account_id bigint not null,
    purpose text not null,
    granted_at timestamptz not null,
    expires_at timestamptz,
    withdrawn_at timestamptz,
    updated_at timestamptz not null
);

create table raw.erasure_requests (
    erasure_request_id bigint not null,
    account_id bigint not null,
    requested_at timestamptz not null,
    due_on date not null,
    completed_at timestamptz,
    updated_at timestamptz not null
);
