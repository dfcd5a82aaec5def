-- Return until when a read replica shows the data of its primary; null on a primary. One that has replayed what it
-- received shows the data of now while it is connected, and else that of its last transaction.
select
    case
        when not pg_is_in_recovery() then null
        when
            pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()
            and exists (select from pg_stat_wal_receiver)  -- whose details others may not see
            then clock_timestamp()
        else coalesce(pg_last_xact_replay_timestamp(), timestamptz 'epoch')
    end as replayed_until
