-- Empty the sample tables and take off what slows a load. The tables themselves stay, because
-- staging views are built on them.
truncate raw.owners, raw.accounts, raw.opportunities, raw.opportunity_stage_history, raw.activities,
    raw.subscriptions, raw.invoices, raw.consents, raw.erasure_requests;

do $$
declare
    statement text;
begin
    for statement in
        select format('alter table %s drop constraint %I', conrelid::regclass, conname)
        from pg_constraint
        where connamespace = 'raw'::regnamespace and contype in ('f', 'p', 'u', 'c')
        order by contype <> 'f'
    loop
        execute statement;
    end loop;

    for statement in
        select format('drop index %s', indexrelid::regclass)
        from pg_index
        inner join pg_class on pg_class.oid = indrelid
        where relnamespace = 'raw'::regnamespace
    loop
        execute statement;
    end loop;
end
$$;
