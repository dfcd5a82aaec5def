-- Delete incidents that were resolved long ago.
delete from ops.incidents
where id in (
    select i.id from ops.incidents as i
    where i.resolved_at < now() - make_interval(days => :days)
    limit 1000
)
