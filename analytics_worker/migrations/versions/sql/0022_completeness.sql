create table ops.completeness (
    schema_name text not null,
    relation_name text not null,
    complete_through timestamptz,
    basis text not null check (basis in ('declared column', 'lineage', 'last change', 'unknown')),
    is_partial boolean not null default false,
    limited_by text,
    reason text,
    measured_at timestamptz not null,
    primary key (schema_name, relation_name)
);
comment on table ops.completeness is 'Through which instant the data of each relation is complete';
comment on column ops.completeness.complete_through is
'All events before this instant are in the relation; with the basis last change, when its data last changed; null if unknown';
comment on column ops.completeness.basis is
'declared column: measured; lineage: the minimum over what feeds it, as of its last build; last change: no event-time column is declared';
comment on column ops.completeness.is_partial is 'Whether the instant is known of only some of the relations that feed it';
comment on column ops.completeness.limited_by is 'The relation with a declared column that has the minimum';
comment on column ops.completeness.reason is 'Why it is not measured, or what limits it';
comment on column ops.completeness.measured_at is 'When it was found';

create table ops.completeness_history (
    schema_name text not null,
    relation_name text not null,
    since timestamptz not null,
    complete_through timestamptz,
    is_partial boolean not null default false,
    primary key (schema_name, relation_name, since)
);
comment on table ops.completeness_history is
'Earlier values of the relations with a declared column or known inputs: a view is complete through what its inputs were when it was built';
comment on column ops.completeness_history.since is 'When the measurement started, or the build ended, from which on the value holds';
comment on column ops.completeness_history.complete_through is 'All events before this instant were in the relation; null if unknown';
comment on column ops.completeness_history.is_partial is 'Whether it was known of only some of the relations that feed it';

create table ops.event_time_measurements (
    schema_name text not null,
    relation_name text not null,
    column_name text not null,
    origin text not null,
    latest_event timestamptz,
    complete_through timestamptz,
    modifications text,
    counted_from timestamptz,
    measured_at timestamptz not null,
    retry_at timestamptz,
    reason text,
    primary key (schema_name, relation_name)
);
comment on table ops.event_time_measurements is 'The last measurement of each declared event-time column';
comment on column ops.event_time_measurements.column_name is 'The declared column';
comment on column ops.event_time_measurements.origin is 'Where it is declared: trust.yml or dbt';
comment on column ops.event_time_measurements.latest_event is 'The latest event that is not in the future';
comment on column ops.event_time_measurements.complete_through is 'What the arrival pattern makes of the latest event; null if it could not be measured';
comment on column ops.event_time_measurements.modifications is 'Modification counters at the measurement; equal ones mean that nothing changed';
comment on column ops.event_time_measurements.counted_from is 'Start of the hours whose rows are counted';
comment on column ops.event_time_measurements.measured_at is 'Start of the measurement';
comment on column ops.event_time_measurements.retry_at is 'When a measurement that took too long is tried again';
comment on column ops.event_time_measurements.reason is 'Why it could not be measured, or what ends the completeness';

create table ops.event_hours (
    schema_name text not null,
    relation_name text not null,
    hour timestamptz not null,
    rows bigint not null,
    primary key (schema_name, relation_name, hour)
);
comment on table ops.event_hours is 'Rows per hour of event time of the declared columns, from which the arrival pattern follows';
comment on column ops.event_hours.hour is 'Start of the hour';
comment on column ops.event_hours.rows is 'Rows whose event time is in the hour';

create table ops.dbt_relations (
    project text not null,
    schema_name text not null,
    relation_name text not null,
    event_time_column text,
    inputs jsonb not null default '[]',
    primary key (project, schema_name, relation_name)
);
comment on table ops.dbt_relations is 'What the last dbt run knew of the relations of its project';
comment on column ops.dbt_relations.project is 'Name of the dbt project';
comment on column ops.dbt_relations.event_time_column is 'loaded_at_field of a source, event_time of a model';
comment on column ops.dbt_relations.inputs is 'The relations that a model reads, as [schema, name]';
comment on column ops.completeness.schema_name is 'Schema of the relation';
comment on column ops.completeness.relation_name is 'Name of the relation';
comment on column ops.completeness_history.schema_name is 'Schema of the relation';
comment on column ops.completeness_history.relation_name is 'Name of the relation';
comment on column ops.event_time_measurements.schema_name is 'Schema of the relation';
comment on column ops.event_time_measurements.relation_name is 'Name of the relation';
comment on column ops.event_hours.schema_name is 'Schema of the relation';
comment on column ops.event_hours.relation_name is 'Name of the relation';
comment on column ops.dbt_relations.schema_name is 'Schema of the relation';
comment on column ops.dbt_relations.relation_name is 'Name of the relation';
