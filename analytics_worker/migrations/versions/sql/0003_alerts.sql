create table ops.alert_rules (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('alert', 'threshold', 'event')),
    name text not null,
    definition jsonb not null,
    every interval not null check (every > interval '0'),
    enabled boolean not null default true,
    watched boolean not null default true,
    silenced_until timestamptz,
    silence_reason text,
    evaluated_slot timestamptz,
    evaluated_at timestamptz,
    milliseconds double precision,
    error text,
    error_since timestamptz,
    error_told boolean not null default false,
    retired_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (kind, name)
);
comment on table ops.alert_rules is 'Rules of definitions/*.yml, and those that arrived with an event';
comment on column ops.alert_rules.definition is 'The rule as validated; null fields are left out';
comment on column ops.alert_rules.watched is 'Whether the schedule evaluates it: of event rules, only those with SQL that are not over';
comment on column ops.alert_rules.evaluated_slot is 'Start of the period that was last evaluated: a rule is evaluated once per period';
comment on column ops.alert_rules.error_told is 'Whether the owner was told of the error';
comment on column ops.alert_rules.retired_at is 'When the rule left its file; it is neither evaluated nor told of any more';
create index alert_rules_due on ops.alert_rules (kind, evaluated_slot) where retired_at is null;

create view ops.alert_thresholds as
select * from ops.alert_rules where kind = 'threshold';
comment on view ops.alert_thresholds is 'The rules of definitions/thresholds.yml';

create table ops.alert_states (
    rule_id bigint not null references ops.alert_rules on delete cascade,
    key text not null default '',
    status text not null check (status in ('unknown', 'ok', 'pending', 'firing', 'no_data')),
    severity text check (severity in ('warning', 'critical')),
    value double precision,
    reading double precision,
    worst double precision,
    since timestamptz not null,
    pending_since timestamptz,
    firing_since timestamptz,
    empty_since timestamptz,
    told text check (told in ('warning', 'critical')),
    told_at timestamptz,
    changes timestamptz[] not null default '{}',
    flapping_since timestamptz,
    updated_at timestamptz not null default now(),
    primary key (rule_id, key)
);
comment on table ops.alert_states is 'What is true of each rule, or of each key of it, and what its readers were told';
comment on column ops.alert_states.key is 'Values of the key columns as a JSON array; empty for a rule without keys';
comment on column ops.alert_states.value is 'What was compared: the reading, or its change';
comment on column ops.alert_states.reading is 'What the SQL returned';
comment on column ops.alert_states.told is 'Highest severity that the readers believe; null if they believe that all is well';
comment on column ops.alert_states.told_at is 'When the last notice was due; repeats count from here';
comment on column ops.alert_states.changes is 'When it started or stopped firing within the last hour';

create view ops.alert_status as
select
    rule.kind,
    rule.name,
    state.key,
    case when rule.error_since is not null then 'error' else coalesce(state.status, 'unknown') end as status,
    state.severity,
    state.value,
    case when rule.error_since is not null then rule.error_since else state.since end as since,
    state.told,
    state.flapping_since is not null as flapping,
    coalesce(rule.silenced_until > now(), false) as silenced,
    rule.silenced_until,
    rule.error,
    rule.definition ->> 'owner' as owner,
    rule.evaluated_at
from ops.alert_rules as rule
left join ops.alert_states as state on rule.id = state.rule_id
where rule.retired_at is null;
comment on view ops.alert_status is 'One row per rule and key: the state of all alerts';

create table ops.alert_evaluations (
    rule_id bigint not null references ops.alert_rules on delete cascade,
    slot timestamptz not null,
    evaluated_at timestamptz not null,
    status text not null check (status in ('ok', 'pending', 'firing', 'no_data', 'error', 'unknown')),
    severity text,
    value double precision,
    reading double precision,
    rows integer,
    keys integer not null,
    firing integer not null,
    milliseconds double precision,
    attempts smallint not null,
    error text,
    readings jsonb,
    flow_run_id uuid,
    primary key (rule_id, slot)
);
comment on table ops.alert_evaluations is 'One row per evaluation; the key makes a second one in the same period impossible';
comment on column ops.alert_evaluations.value is 'Of a rule with keys, the worst';
comment on column ops.alert_evaluations.readings is 'Of a rule with keys, the reading of each';
create index alert_evaluations_evaluated_at on ops.alert_evaluations (evaluated_at);

create table ops.alert_events (
    id bigint generated always as identity primary key,
    uid uuid not null unique default gen_random_uuid(),
    rule_id bigint references ops.alert_rules on delete cascade,
    kind text not null check (kind in (
        'firing', 'still_firing', 'resolved', 'no_data', 'flapping',
        'error', 'error_resolved', 'delivery_failed'
    )),
    severity text,
    audience text not null default 'readers' check (audience in ('readers', 'owner')),
    group_key text not null default '',
    keys integer not null default 1,
    details jsonb not null default '{}',
    flow_run_id uuid,
    created_at timestamptz not null default now()
);
comment on table ops.alert_events is 'What somebody was told: one row per notice, whatever the number of its recipients';
create index alert_events_rule on ops.alert_events (rule_id, created_at);
create index alert_events_created_at on ops.alert_events (created_at);

create table ops.alert_deliveries (
    id uuid primary key default gen_random_uuid(),
    event_id bigint references ops.alert_events on delete cascade,
    channel text not null,
    recipient text not null,
    message_id text not null unique,
    payload jsonb not null,
    status text not null default 'pending'
    check (status in ('pending', 'sending', 'sent', 'failed', 'skipped')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    lease_owner text,
    lease_until timestamptz,
    last_error text,
    created_at timestamptz not null default now(),
    sent_at timestamptz
);
comment on table ops.alert_deliveries is 'Outbox: one row per notice and recipient, written with the state change, sent later';
comment on column ops.alert_deliveries.recipient is 'An address, or the name of the channel; never a URL';
comment on column ops.alert_deliveries.message_id is 'Same for every attempt: Message-ID of mails, Idempotency-Key of webhooks';
create index alert_deliveries_due on ops.alert_deliveries (status, next_attempt_at);
create index alert_deliveries_event on ops.alert_deliveries (event_id);
