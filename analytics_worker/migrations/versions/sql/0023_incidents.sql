-- Names of units may be long, so that indexes have their MD5.
create table ops.incidents (
    id uuid primary key,
    cause_kind text not null,
    cause_name text not null,
    severity text not null check (severity in ('warning', 'critical')),
    severity_since timestamptz not null,
    owner text,
    opened_at timestamptz not null,
    resolved_at timestamptz,
    merged_into uuid references ops.incidents on delete set null,
    affected jsonb not null default '[]',
    acknowledged_at timestamptz,
    acknowledged_by text,
    assigned_to text,
    snoozed_until timestamptz,
    told_severity text check (told_severity in ('warning', 'critical')),
    told_at timestamptz,
    threads jsonb not null default '[]'
);
create index incidents_open on ops.incidents (opened_at) where resolved_at is null;
create index incidents_resolved_at on ops.incidents (resolved_at);
comment on table ops.incidents is 'Incidents: the units that fail for one cause, from the first failure until all of them work';
comment on column ops.incidents.id is 'Primary key';
comment on column ops.incidents.cause_kind is 'relation, dbt, rule, report or deployment';
comment on column ops.incidents.cause_name is 'Name of the unit that explains the others';
comment on column ops.incidents.severity is 'Highest severity of the units that fail now: warning or critical';
comment on column ops.incidents.severity_since is 'Since when it has this severity';
comment on column ops.incidents.owner is 'Owner of the cause: meta.owner or the group of dbt, or the owner of a rule or report';
comment on column ops.incidents.opened_at is 'When it was opened';
comment on column ops.incidents.resolved_at is 'When its last unit worked again; null while it is open';
comment on column ops.incidents.merged_into is 'The older incident that turned out to have the same cause';
comment on column ops.incidents.affected is 'What its cause reaches and does not fail itself, as [kind, name]; the first 200';
comment on column ops.incidents.acknowledged_at is 'Since when a user works on it: growth and falls of the severity are not notified';
comment on column ops.incidents.acknowledged_by is 'Who acknowledged it';
comment on column ops.incidents.assigned_to is 'Who is notified in place of the owner: an email address or a channel';
comment on column ops.incidents.snoozed_until is 'Until when nothing but its end is notified';
comment on column ops.incidents.told_severity is 'Severity that recipients were last notified of; null if none were';
comment on column ops.incidents.told_at is 'When recipients were last notified';
comment on column ops.incidents.threads is 'First message to each group of recipients: message, title, key, recipients as [channel, address]';

create table ops.incident_units (
    incident_id uuid not null references ops.incidents on delete cascade,
    kind text not null,
    name text not null,
    is_failing boolean not null,
    is_told boolean not null default false,
    problems jsonb not null default '[]'
);
create unique index incident_units_unit on ops.incident_units (incident_id, kind, md5(name));
comment on table ops.incident_units is 'All units that have failed during an incident';
comment on column ops.incident_units.incident_id is 'Id of the incident';
comment on column ops.incident_units.kind is 'relation, dbt, rule, report or deployment';
comment on column ops.incident_units.name is 'Name of the unit';
comment on column ops.incident_units.is_failing is 'Whether it fails now';
comment on column ops.incident_units.is_told is 'Whether a notification has named it';
comment on column ops.incident_units.problems is 'What is wrong with it, or was last: one object per reader of problems';

create table ops.incident_events (
    id bigint generated always as identity primary key,
    incident_id uuid not null references ops.incidents on delete cascade,
    at timestamptz not null,
    kind text not null,
    actor text,
    severity text,
    units jsonb not null default '[]',
    text text
);
create index incident_events_incident on ops.incident_events (incident_id, id);
comment on table ops.incident_events is 'History of the incidents';
comment on column ops.incident_events.id is 'Primary key';
comment on column ops.incident_events.incident_id is 'Id of the incident';
comment on column ops.incident_events.at is 'When it happened';
comment on column ops.incident_events.kind is
'opened, grew, cause_changed, severity_changed, merged, resolved, acknowledged, assigned, snoozed, snooze_ended or commented';
comment on column ops.incident_events.actor is 'Who did it; null for the worker';
comment on column ops.incident_events.severity is 'Severity afterwards';
comment on column ops.incident_events.units is 'The units that are new, as [kind, name]';
comment on column ops.incident_events.text is 'The cause, the comment, the assignee or the end of the snooze';

create table ops.unit_reads (
    kind text not null check (kind in ('dbt', 'rule', 'report')),
    name text not null,
    scope text not null default '',
    relations jsonb not null default '[]',
    definition_hash text,
    updated_at timestamptz not null default now()
);
create unique index unit_reads_unit on ops.unit_reads (kind, md5(name));
comment on table ops.unit_reads is 'Relations that each rule, report and dbt test reads; its own domain stores them';
comment on column ops.unit_reads.kind is 'dbt, rule or report';
comment on column ops.unit_reads.name is 'Name of the unit';
comment on column ops.unit_reads.scope is 'For dbt: the project';
comment on column ops.unit_reads.relations is 'The relations, as [schema, name]; if the SQL can''t be planned now, the last known ones';
comment on column ops.unit_reads.definition_hash is 'Hash of the definition that they are of; null if it could not be planned';
comment on column ops.unit_reads.updated_at is 'When it was last planned';

alter table ops.dbt_node_health add column owner text, add column warned_since timestamptz;
comment on column ops.dbt_node_health.owner is 'Owner of the node: meta.owner, or that of its group; of a test, that of the model it tests';
comment on column ops.dbt_node_health.warned_since is 'Start of the first run with a warning; null if the last result is no warning';
comment on column ops.dbt_node_health.notified_since is 'Deprecated, for one release: use ops.incidents';
comment on column ops.deployment_health.notified_since is 'Deprecated, for one release: use ops.incidents';

insert into ops.locks (name) values ('incidents');

-- Failing deployments whose recipients were notified have an incident, so that they are not notified again.
with notified as (
    select h.deployment, h.since, h.last_state, h.last_message, h.last_run_id, gen_random_uuid() as id, m.id as message_id
    from ops.deployment_health as h
    cross join lateral (
        select id
        from ops.messages
        where kind = 'deployment_failing' and reference = h.deployment
        order by position desc
        limit 1
    ) as m
    where h.status = 'failing' and h.notified_since = h.since
),

opened as (
    insert into ops.incidents (
        id, cause_kind, cause_name, severity, severity_since, opened_at, told_severity, told_at, threads
    )
    select
        n.id,
        'deployment',
        n.deployment,
        case n.last_state when 'Partial' then 'warning' else 'critical' end,
        n.since,
        n.since,
        case n.last_state when 'Partial' then 'warning' else 'critical' end,
        n.since,
        jsonb_build_array(
            jsonb_build_object(
                'message', n.message_id,
                'title', n.deployment,
                'key', 'deployment:' || n.deployment,
                'recipients', coalesce(
                    (
                        select jsonb_agg(jsonb_build_array(d.channel, d.recipient))
                        from ops.deliveries as d
                        where d.message_id = n.message_id
                    ),
                    '[]'
                )
            )
        )
    from notified as n
    returning id
),

events as (
    insert into ops.incident_events (incident_id, at, kind, text)
    select n.id, n.since, 'opened', n.deployment
    from notified as n
    inner join opened as o on n.id = o.id
)

insert into ops.incident_units (incident_id, kind, name, is_failing, is_told)
select n.id, 'deployment', n.deployment, true, true
from notified as n
inner join opened as o on n.id = o.id;

create index report_runs_failed on ops.report_runs (report) where error is not null and finished_at is not null;
create index alert_rules_failed on ops.alert_rules (id) where error_since is not null;
