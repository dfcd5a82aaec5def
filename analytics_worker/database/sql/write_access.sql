-- Whether transactions of this role may write here, and where the default of that was set.
select
    pg_is_in_recovery() as is_replica,
    current_setting('default_transaction_read_only') = 'on' as is_read_only,
    quote_ident(current_user) as role,
    quote_ident(current_database()) as database,
    (select source from pg_settings where name = 'default_transaction_read_only') as source
