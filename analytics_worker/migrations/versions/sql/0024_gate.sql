alter table ops.unit_reads add column tested jsonb;
comment on column ops.unit_reads.tested is
'Of a dbt test that is declared on a model or source: that one, as [schema, name]; null if it tests all that it reads';
