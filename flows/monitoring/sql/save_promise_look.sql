insert into ops.looks (name, fingerprint, looked_at, next_at)
values ('promises', :fingerprint, :now, :next_at)
on conflict (name) do update set
    fingerprint = excluded.fingerprint,
    looked_at = excluded.looked_at,
    next_at = excluded.next_at
