create table ops.report_values (
    run_id bigint not null references ops.report_runs on delete cascade,
    part text not null check (part in ('tile', 'chart', 'table')),
    position smallint not null,
    title text not null,
    unit text not null default '',
    decimals smallint not null default 0,
    points jsonb not null default '[]',
    rows bigint,
    hash text,
    sums jsonb not null default '[]',
    columns jsonb not null default '[]',
    is_approximate boolean not null default false,
    problem text,
    held integer not null default 0,
    moved integer not null default 0,
    primary key (run_id, part, position)
);
comment on table ops.report_values is 'What each report run sent: the numbers of tiles and charts, and a hash of each table';
comment on column ops.report_values.run_id is 'Id of the report run';
comment on column ops.report_values.part is 'tile, chart or table';
comment on column ops.report_values.position is 'Which of the tiles, charts or tables of the report, from 0';
comment on column ops.report_values.title is 'Title of the tile, chart or table';
comment on column ops.report_values.unit is 'Unit of the numbers';
comment on column ops.report_values.decimals is 'Decimals of the tile';
comment on column ops.report_values.points is 'Of tiles and charts: label, series and number of each point, the number as text with all its digits';
comment on column ops.report_values.rows is 'Rows of the table';
comment on column ops.report_values.hash is 'Hash of all rows of the table, independent of their order, without double precision';
comment on column ops.report_values.sums is 'Of each column in double precision: its weighted sum, and that of the absolute values';
comment on column ops.report_values.columns is 'Names of the columns of the table';
comment on column ops.report_values.is_approximate is 'Whether the numbers are in double precision: they are compared to nine digits';
comment on column ops.report_values.problem is 'Why it is not compared; null if it is';
comment on column ops.report_values.held is 'Comparisons after a change of the data that found it as it was sent';
comment on column ops.report_values.moved is 'Comparisons that found it different from the comparison before and from what was sent';

create table ops.report_comparisons (
    run_id bigint primary key references ops.report_runs on delete cascade,
    compared_at timestamptz not null,
    fingerprint text,
    complete_through timestamptz,
    unchanged_until timestamptz not null,
    noticed_at timestamptz,
    changes jsonb not null default '[]',
    handled jsonb not null default '[]',
    notified jsonb not null default '[]',
    notified_at timestamptz,
    shown_in bigint,
    error text
);
comment on table ops.report_comparisons is
'Comparison of what a report run sent with what its SQL returns for the same period now; one row per run with stored values';
comment on column ops.report_comparisons.run_id is 'Id of the report run';
comment on column ops.report_comparisons.compared_at is 'When it was last compared; at first, when the run ended';
comment on column ops.report_comparisons.fingerprint is 'State of the relations that the report reads when it was compared; null: compare again';
comment on column ops.report_comparisons.complete_through is 'Through which instant the data was complete when it was sent; null if unknown';
comment on column ops.report_comparisons.unchanged_until is 'When the last comparison that found no difference began';
comment on column ops.report_comparisons.noticed_at is 'When the present differences were noticed';
comment on column ops.report_comparisons.changes is 'The present differences: part, position, title, label, before and after';
comment on column ops.report_comparisons.handled is 'The differences for which it was decided whether the owner is notified';
comment on column ops.report_comparisons.notified is 'The differences that the owner was notified of';
comment on column ops.report_comparisons.notified_at is 'When the owner was last notified';
comment on column ops.report_comparisons.shown_in is 'Id of the next run of the report, which shows the differences to its readers';
comment on column ops.report_comparisons.error is 'Why the last comparison failed; null if it did not';

create view ops.report_fingerprints as
select
    u.name as report,
    md5(
        string_agg(
            concat_ws(
                '/',
                named.pair,
                k.status,
                k.oid,
                coalesce(k.modifications, case when k.kind = 'view' then '' else current_date::text end),
                (select string_agg(w.xmin::text, ' ' order by w.oid) from pg_rewrite as w where w.ev_class = k.oid)
            ),
            ' ' order by named.pair
        )
    ) as fingerprint,
    max(k.updated_at) as changed_at
from ops.unit_reads as u
cross join jsonb_array_elements(u.relations) as named (pair)
left join ops.catalog_relations as k
    on k.schema_name = named.pair ->> 0 and k.relation_name = named.pair ->> 1
where u.kind = 'report'
group by u.name;
comment on view ops.report_fingerprints is
'State of the relations that each report reads, as the catalog last saw them: equal ones mean that nothing changed';
comment on column ops.report_fingerprints.report is 'Name of the report';
comment on column ops.report_fingerprints.changed_at is 'When the catalog last saw one of them change';
comment on column ops.report_fingerprints.fingerprint is
'Hash of files, modification counters and view definitions; of relations whose changes can''t be seen, of the day';
