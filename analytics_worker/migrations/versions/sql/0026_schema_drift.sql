alter table ops.unit_reads add column columns jsonb;
comment on column ops.unit_reads.columns is
'The columns that it may read, as [schema, relation, column]; null if they are not known';
-- Rules and reports are planned again, so that their columns become known.
update ops.unit_reads set updated_at = '-infinity' where kind in ('rule', 'report');

alter table ops.catalog_columns add column relation_oid oid;
comment on column ops.catalog_columns.relation_oid is
'Oid of the relation when the column was last seen: another column at its position is that column, renamed';

alter table ops.catalog_changes drop constraint catalog_changes_change_check;
alter table ops.catalog_changes add constraint catalog_changes_change_check check (change in (
    'relation appeared', 'relation vanished', 'kind changed',
    'column added', 'column removed', 'column renamed', 'type changed', 'nullability changed'
));
comment on column ops.catalog_changes.change is
'relation appeared, relation vanished, kind changed, column added, column removed, column renamed, type changed or nullability changed';
create index catalog_changes_columns on ops.catalog_changes (changed_at) where column_name is not null;

create table ops.contracts (
    schema_name text not null,
    relation_name text not null,
    definition jsonb not null,
    severity text not null check (severity in ('warning', 'critical')),
    owner text,
    modifications text,
    checked_definition jsonb,
    checked_at timestamptz,
    retry_at timestamptz,
    primary key (schema_name, relation_name)
);
comment on table ops.contracts is 'What definitions/trust.yml promises of relations';
comment on column ops.contracts.schema_name is 'Schema of the relation';
comment on column ops.contracts.relation_name is 'Name of the relation';
comment on column ops.contracts.definition is 'Columns and keys as declared';
comment on column ops.contracts.severity is 'Severity of the incident if it is broken: warning or critical';
comment on column ops.contracts.owner is 'Who is notified: an email address or a channel';
comment on column ops.contracts.modifications is 'File and modification counters when the data was last checked';
comment on column ops.contracts.checked_definition is 'The definition that the data was last checked against';
comment on column ops.contracts.checked_at is 'When the data was last checked';
comment on column ops.contracts.retry_at is 'Not before this time is data checked again, because a check took too long';

create table ops.contract_checks (
    schema_name text not null,
    relation_name text not null,
    name text not null,
    status text not null check (status in ('passed', 'broken', 'not measured')),
    message text,
    reason text,
    since timestamptz not null,
    checked_at timestamptz not null,
    foreign key (schema_name, relation_name) references ops.contracts on delete cascade
);
create unique index contract_checks_check on ops.contract_checks (schema_name, relation_name, md5(name));
comment on table ops.contract_checks is 'The last result of each check of a contract';
comment on column ops.contract_checks.schema_name is 'Schema of the relation';
comment on column ops.contract_checks.relation_name is 'Name of the relation';
comment on column ops.contract_checks.name is 'What is checked';
comment on column ops.contract_checks.status is 'passed, broken or not measured; a broken one stays so until it is measured again';
comment on column ops.contract_checks.message is 'What is broken';
comment on column ops.contract_checks.reason is 'Why it could not be measured the last time; null if it was';
comment on column ops.contract_checks.since is 'Since when it has this status';
comment on column ops.contract_checks.checked_at is 'When it was last looked at';

create view ops.missing_columns as
with reads as materialized (
    select u.kind, u.name, c.read ->> 0 as schema_name, c.read ->> 1 as relation_name, c.read ->> 2 as column_name
    from ops.unit_reads as u
    cross join lateral jsonb_array_elements(u.columns) as c (read)
)

select r.kind, r.name, r.schema_name, r.relation_name, r.column_name
from reads as r
inner join pg_namespace as n on r.schema_name = n.nspname
inner join pg_class as k on n.oid = k.relnamespace and r.relation_name = k.relname
left join pg_attribute as a on k.oid = a.attrelid and r.column_name = a.attname and not a.attisdropped
where a.attname is null;
comment on view ops.missing_columns is 'Columns that rules and reports may read, and that their relations no longer have';
comment on column ops.missing_columns.kind is 'rule or report';
comment on column ops.missing_columns.name is 'Name of the unit';
comment on column ops.missing_columns.schema_name is 'Schema of the relation';
comment on column ops.missing_columns.relation_name is 'Name of the relation';
comment on column ops.missing_columns.column_name is 'Name of the column';
