alter table ops.incidents
add column openings integer not null default 1,
add column reopened_at timestamptz,
add column flapping_since timestamptz;
comment on column ops.incidents.openings is
'How often it opened: one that fails again soon after its end goes on (INCIDENT_CALM_MINUTES)';
comment on column ops.incidents.reopened_at is 'When it opened again the last time; null if it opened once';
comment on column ops.incidents.flapping_since is
'Since when neither its ends nor its openings are notified, because it opened again; null otherwise';
comment on column ops.incident_events.kind is
'opened, reopened, grew, cause_changed, severity_changed, merged, resolved, acknowledged, assigned, snoozed, snooze_ended or commented';

create table ops.looks (
    name text primary key,
    fingerprint text not null,
    looked_at timestamptz not null,
    next_at timestamptz not null
);
comment on table ops.looks is 'The last look at what is looked at only if it can have changed';
comment on column ops.looks.name is 'promises';
comment on column ops.looks.fingerprint is 'Hash of trust.yml, calendar.yml and the reports with a promise';
comment on column ops.looks.looked_at is 'When it was';
comment on column ops.looks.next_at is 'Before this time nothing changes, unless the definitions do: no day begins or is awaited';
