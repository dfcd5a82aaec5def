-- What the Prefect server needs of its database, and what this role may do there.
select
    quote_ident(current_user) as role,
    current_database() as database,
    quote_ident(coalesce(current_schema(), 'public')) as schema,
    current_setting('transaction_read_only') = 'on' as is_read_only,
    to_regclass('alembic_version') is not null as is_prepared,
    coalesce(has_schema_privilege(current_schema(), 'create'), false) as may_create_tables,
    exists (select from pg_available_extensions where name = 'pg_trgm') as is_trgm_installed,
    exists (select from pg_extension where extname = 'pg_trgm') as has_trgm,
    (select rolsuper from pg_roles where rolname = current_user)
    or (
        has_database_privilege(current_database(), 'create')
        and exists (select from pg_available_extension_versions where name = 'pg_trgm' and trusted)
    ) as may_create_trgm
