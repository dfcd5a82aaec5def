-- Insert messages and one delivery for each of their recipients, in the caller's transaction. Rows that
-- exist already, by id or key, are not changed.
with wanted as (
    select
        id, domain, kind, topic, follows, owner, fallback, reference, content, notice_of, notice_channel, digest_key,
        group_seconds, with_files, number
    from
        rows from (
            jsonb_to_recordset(cast(:messages as jsonb)) as (
                id uuid, domain text, kind text, topic text, follows uuid, owner text, fallback jsonb,
                reference text, content jsonb, notice_of uuid, notice_channel text, digest_key text,
                group_seconds double precision, with_files boolean
            )
        ) with ordinality as given (
            id, domain, kind, topic, follows, owner, fallback, reference, content, notice_of, notice_channel,
            digest_key, group_seconds, with_files, number
        )
),

added as (
    insert into ops.messages (
        id, domain, kind, topic, follows, owner, fallback, reference, content, notice_of, notice_channel,
        digest_key
    )
    select
        wanted.id,
        wanted.domain,
        wanted.kind,
        wanted.topic,
        case
            when wanted.follows in (select id from wanted) then wanted.follows
            else (select earlier.id from ops.messages as earlier where earlier.id = wanted.follows)
        end,
        wanted.owner,
        wanted.fallback,
        wanted.reference,
        wanted.content,
        wanted.notice_of,
        wanted.notice_channel,
        coalesce(wanted.digest_key, '')
    from wanted
    order by wanted.number
    on conflict (id) do nothing
    returning id, position
),

known as (
    select id, position from added
    union all
    select message.id, message.position
    from ops.messages as message
    inner join wanted on message.id = wanted.id
)

insert into ops.deliveries (
    message_id, domain, topic, position, with_files, channel, recipient, role, idempotency_key,
    group_until
)
select
    wanted.id,
    wanted.domain,
    case when wanted.topic = '' then '' else md5(wanted.topic) end,
    known.position,
    wanted.with_files,
    one.channel,
    one.recipient,
    one.role,
    one.key,
    case when wanted.digest_key <> '' then now() + make_interval(secs => wanted.group_seconds) end
from
    jsonb_to_recordset(cast(:deliveries as jsonb)) as one (
        message_id uuid, channel text, recipient text, role text, key text
    )
inner join wanted on one.message_id = wanted.id
inner join known on wanted.id = known.id
on conflict (idempotency_key) do nothing
returning id
