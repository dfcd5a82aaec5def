-- Senders of the version before go on while this runs and after it: the lock waits until no statement
-- of theirs is under way, what they had claimed stays theirs as long as their connection lives, and the
-- views take their updates and inserts. All of it is one transaction: a migration that is killed has
-- changed nothing.
lock table ops.alert_deliveries, ops.report_deliveries, ops.deployment_notices
in access exclusive mode;

-- The advisory locks of the version before: one class of keys for alerts, one for reports.
create or replace function ops.sender_is_alive(owner text) returns boolean
language sql stable
as $$
    select
        exists (select from ops.key_holders(hashtextextended(owner, 0)))
        or exists (
            select
            from unnest(array['ops.alert_deliveries', 'ops.report_runs']) as class (name)
            cross join ops.lock_holders(hashtext(class.name), hashtext(owner), 2::smallint)
        )
$$;

alter table ops.alert_deliveries rename to old_alert_deliveries;
alter table ops.report_deliveries rename to old_report_deliveries;
alter table ops.deployment_notices rename to old_deployment_notices;

-- Alerts: the recipients of an event share a message, except those of texts of their own.
create temporary table moved_alerts on commit drop as
select
    delivery.id,
    first_value(delivery.id) over (
        partition by delivery.event_id, md5(delivery.payload::text), delivery.event_id is null,
        case when delivery.event_id is null then delivery.id end
        order by delivery.id
    ) as message_id
from ops.old_alert_deliveries as delivery;

insert into ops.messages (id, domain, kind, topic, owner, reference, content, created_at)
select
    delivery.id,
    'alerts',
    coalesce(event.kind, 'firing'),
    case when event.rule_id is null then '' else event.rule_id || '/' || event.group_key end,
    rule.definition ->> 'owner',
    coalesce(delivery.event_id::text, ''),
    jsonb_strip_nulls(
        jsonb_build_object(
            'subject', coalesce(delivery.payload ->> 'subject', 'Alert'),
            'text', coalesce(delivery.payload ->> 'text', ''),
            'html', delivery.payload ->> 'html'
        )
    ) || case
        when jsonb_typeof(delivery.payload -> 'json') = 'object'
            then jsonb_build_object('json', delivery.payload -> 'json')
        else '{}'
    end,
    delivery.created_at
from ops.old_alert_deliveries as delivery
inner join moved_alerts as moved on delivery.id = moved.id and moved.id = moved.message_id
left join ops.alert_events as event on delivery.event_id = event.id
left join ops.alert_rules as rule on event.rule_id = rule.id
order by delivery.event_id nulls last, delivery.created_at, delivery.id;

insert into ops.deliveries (
    id, message_id, domain, topic, position, channel, recipient, idempotency_key, status, attempts,
    next_attempt_at, lease_owner, lease_until, last_error, created_at, queued_at, sent_at
)
select
    delivery.id,
    moved.message_id,
    'alerts',
    case when message.topic = '' then '' else md5(message.topic) end,
    message.position,
    delivery.channel,
    delivery.recipient,
    delivery.message_id,
    case delivery.status when 'skipped' then 'cancelled' else delivery.status end,
    delivery.attempts,
    delivery.next_attempt_at,
    delivery.lease_owner,
    delivery.lease_until,
    delivery.last_error,
    delivery.created_at,
    delivery.created_at,
    delivery.sent_at
from ops.old_alert_deliveries as delivery
inner join moved_alerts as moved on delivery.id = moved.id
inner join ops.messages as message on moved.message_id = message.id;

-- Reports: one message for each run, and one for each mail to an owner.
create temporary table moved_reports on commit drop as
select
    delivery.id,
    case
        when delivery.payload is null
            then first_value(delivery.id) over (
                partition by delivery.run_id, delivery.payload is null order by delivery.id
            )
        else delivery.id
    end as message_id
from ops.old_report_deliveries as delivery;

insert into ops.messages (id, domain, kind, owner, reference, content, created_at)
select
    delivery.id,
    'reports',
    case when delivery.payload is null then 'report' else 'report_failed' end,
    run.definition ->> 'owner',
    delivery.run_id::text,
    case
        when delivery.payload is not null
            then jsonb_build_object(
                'subject', coalesce(delivery.payload ->> 'subject', 'Report'),
                'text', coalesce(delivery.payload ->> 'text', '')
            )
        else jsonb_strip_nulls(
            jsonb_build_object(
                'subject', coalesce(run.mail ->> 'subject', run.report),
                'text', coalesce(run.mail ->> 'text', ''),
                'html', run.mail ->> 'html',
                'sent_as', coalesce(run.finished_at, run.created_at),
                'images', (
                    select
                        jsonb_agg(
                            jsonb_build_object(
                                'name', image ->> 'name',
                                'data', image ->> 'data',
                                'media_type', coalesce(image ->> 'mime_type', 'image/png')
                            )
                        )
                    from jsonb_array_elements(run.mail -> 'images') as image
                ),
                'attachments', (
                    select
                        jsonb_agg(
                            jsonb_build_object(
                                'storage', run.storage,
                                'name', file ->> 'name',
                                'attach_as', file ->> 'attach_as',
                                'media_type', split_part(file ->> 'media_type', ';', 1),
                                'bytes', coalesce((file ->> 'bytes')::bigint, 0)
                            )
                        )
                    from jsonb_array_elements(run.files) as file
                    where run.mail -> 'attach' ? (file ->> 'name')
                ),
                'to', (
                    select jsonb_agg(other.recipient order by other.recipient)
                    from ops.old_report_deliveries as other
                    where other.run_id = run.id and other.role = 'to'
                ),
                'cc', (
                    select jsonb_agg(other.recipient order by other.recipient)
                    from ops.old_report_deliveries as other
                    where other.run_id = run.id and other.role = 'cc'
                )
            )
        )
    end,
    delivery.created_at
from ops.old_report_deliveries as delivery
inner join moved_reports as moved on delivery.id = moved.id and moved.id = moved.message_id
inner join ops.report_runs as run on delivery.run_id = run.id
order by delivery.run_id, delivery.created_at, delivery.id;

insert into ops.deliveries (
    id, message_id, domain, position, with_files, channel, recipient, role, idempotency_key, status,
    attempts, next_attempt_at, lease_owner, lease_until, last_error, created_at, queued_at, sent_at
)
select
    delivery.id,
    moved.message_id,
    'reports',
    message.position,
    message.content ? 'attachments',
    'email',
    delivery.recipient,
    delivery.role,
    delivery.message_id,
    delivery.status,
    delivery.attempts,
    delivery.next_attempt_at,
    delivery.lease_owner,
    delivery.lease_until,
    delivery.last_error,
    delivery.created_at,
    delivery.created_at,
    delivery.sent_at
from ops.old_report_deliveries as delivery
inner join moved_reports as moved on delivery.id = moved.id
inner join ops.messages as message on moved.message_id = message.id;

-- Monitoring: texts were composed when they were sent; the row's id was the key of every attempt.
create function ops.deployment_content(deployment text, kind text, details jsonb) returns jsonb
language sql immutable
as $$
    select jsonb_build_object(
        'subject',
        case kind
            when 'failing' then '[failing] ' || deployment || ': ' || coalesce(details ->> 'state', '')
            else '[recovered] ' || deployment || ' works again'
        end,
        'text',
        concat_ws(
            e'\n',
            case kind
                when 'failing' then '[failing] ' || deployment || ': ' || coalesce(details ->> 'state', '')
                else '[recovered] ' || deployment || ' works again'
            end,
            '',
            case kind when 'failing' then 'The last run failed:' else 'The last run succeeded:' end,
            '  ' || coalesce(details ->> 'message', ''),
            ''
        ),
        'json',
        jsonb_build_object('event', 'deployment_' || kind, 'deployment', deployment) || details
    )
$$;
comment on function ops.deployment_content is 'Content of a notice about a deployment that the version before wrote';

insert into ops.messages (id, domain, kind, topic, reference, content, created_at)
select
    notice.id,
    'monitoring',
    'deployment_' || notice.kind,
    notice.deployment,
    notice.deployment,
    ops.deployment_content(notice.deployment, notice.kind, notice.details),
    notice.created_at
from ops.old_deployment_notices as notice
order by notice.created_at, notice.id;

insert into ops.deliveries (
    id, message_id, domain, topic, position, channel, recipient, idempotency_key, status, attempts,
    next_attempt_at, last_error, created_at, queued_at, sent_at
)
select
    notice.id,
    notice.id,
    'monitoring',
    md5(notice.deployment),
    message.position,
    notice.channel,
    notice.recipient,
    notice.id::text,
    notice.status,
    notice.attempts,
    notice.next_attempt_at,
    notice.last_error,
    notice.created_at,
    notice.created_at,
    notice.sent_at
from ops.old_deployment_notices as notice
inner join ops.messages as message on notice.id = message.id;

-- What had failed before was notified then.
with failed as (
    select distinct message_id, channel
    from ops.deliveries
    where status = 'failed'
),

notices as (
    insert into ops.messages (domain, kind, reference, content, notice_of, notice_channel, created_at)
    select
        message.domain,
        'delivery_failed',
        message.reference,
        '{"subject": "Not delivered", "text": "Notified by the version before."}',
        message.id,
        failed.channel,
        '-infinity'
    from failed
    inner join ops.messages as message on failed.message_id = message.id
    returning id, notice_of, notice_channel
)

update ops.deliveries as delivery
set notice_id = notices.id
from notices
where
    delivery.status = 'failed'
    and delivery.message_id = notices.notice_of
    and delivery.channel = notices.notice_channel;

drop table ops.old_alert_deliveries, ops.old_report_deliveries, ops.old_deployment_notices;

create view ops.alert_deliveries as
select
    delivery.id,
    case when message.reference ~ '^[0-9]{1,18}$' then message.reference::bigint end as event_id,
    delivery.channel,
    delivery.recipient,
    delivery.idempotency_key as message_id,
    message.content as payload,
    case delivery.status
        when 'digested' then 'sent' when 'cancelled' then 'skipped' else delivery.status
    end as status,
    delivery.attempts,
    delivery.next_attempt_at,
    delivery.lease_owner,
    delivery.lease_until,
    delivery.last_error,
    delivery.created_at,
    delivery.sent_at
from ops.deliveries as delivery
inner join ops.messages as message on delivery.message_id = message.id
where delivery.domain = 'alerts';
comment on view ops.alert_deliveries is 'Deprecated, for one release: deliveries of alerts; use ops.deliveries';

-- Senders of the version before find the content of a report in its run. What this version enqueues is
-- not there, and they know only emails, so that they leave it alone.
create view ops.report_deliveries as
select
    delivery.id,
    case when message.reference ~ '^[0-9]{1,18}$' then message.reference::bigint end as run_id,
    delivery.recipient,
    delivery.role,
    delivery.idempotency_key as message_id,
    case when message.kind <> 'report' then message.content end as payload,
    case
        when delivery.status = 'digested' then 'sent'
        when delivery.status = 'cancelled' then 'failed'
        when
            delivery.status = 'pending'
            and (
                delivery.channel <> 'email'
                or (
                    message.kind = 'report'
                    and not exists (
                        select
                        from ops.report_runs as run
                        where
                            run.id = case
                                when message.reference ~ '^[0-9]{1,18}$' then message.reference::bigint
                            end
                            and run.mail is not null
                    )
                )
            )
            then 'waiting'
        else delivery.status
    end as status,
    delivery.attempts,
    delivery.next_attempt_at,
    delivery.lease_owner,
    delivery.lease_until,
    delivery.last_error,
    delivery.created_at,
    delivery.sent_at
from ops.deliveries as delivery
inner join ops.messages as message on delivery.message_id = message.id
where delivery.domain = 'reports';
comment on view ops.report_deliveries is 'Deprecated, for one release: deliveries of reports; use ops.deliveries';
comment on column ops.report_runs.mail is 'Deprecated, for one release: what runs of the version before send; use ops.messages';
comment on column ops.report_runs.resent is 'Deprecated, for one release: use ops.messages';

create function ops.delete_report_messages() returns trigger
language plpgsql
as $$
begin
    delete from ops.messages
    where domain = 'reports' and reference = old.id::text;
    return null;
end
$$;
comment on function ops.delete_report_messages is 'Deletes the messages about a report run with it';
create trigger delete_report_messages after delete on ops.report_runs
for each row execute function ops.delete_report_messages();

create view ops.deployment_notices as
select
    delivery.id,
    message.reference as deployment,
    replace(message.kind, 'deployment_', '') as kind,
    coalesce(message.content -> 'json', '{}') as details,
    delivery.channel,
    delivery.recipient,
    case delivery.status
        when 'digested' then 'sent'
        when 'cancelled' then 'failed'
        when 'sending' then 'pending'
        else delivery.status
    end as status,
    delivery.attempts,
    delivery.next_attempt_at,
    delivery.last_error,
    delivery.created_at,
    delivery.sent_at
from ops.deliveries as delivery
inner join ops.messages as message on delivery.message_id = message.id
where delivery.domain = 'monitoring';
comment on view ops.deployment_notices is 'Deprecated, for one release: deliveries of monitoring; use ops.deliveries';

-- Senders of the version before claim, settle and renew through the views.
create function ops.update_old_delivery() returns trigger
language plpgsql
as $$
begin
    update ops.deliveries
    set
        status = case new.status when 'skipped' then 'cancelled' else new.status end,
        attempts = new.attempts,
        next_attempt_at = new.next_attempt_at,
        lease_owner = new.lease_owner,
        lease_until = new.lease_until,
        last_error = new.last_error,
        sent_at = new.sent_at
    where id = old.id and status = old.status;
    return case when found then new end;
end
$$;
comment on function ops.update_old_delivery is 'Lets senders of the version before write through the old names, for one release';

create function ops.update_old_notice() returns trigger
language plpgsql
as $$
begin
    update ops.deliveries
    set
        status = new.status,
        attempts = new.attempts,
        next_attempt_at = new.next_attempt_at,
        last_error = new.last_error,
        sent_at = new.sent_at
    where id = old.id and status = 'pending';
    return case when found then new end;
end
$$;
comment on function ops.update_old_notice is 'The same for notices about deployments, which have no lease';

create trigger update_old_delivery instead of update on ops.alert_deliveries
for each row execute function ops.update_old_delivery();
create trigger update_old_delivery instead of update on ops.report_deliveries
for each row execute function ops.update_old_delivery();
create trigger update_old_notice instead of update on ops.deployment_notices
for each row execute function ops.update_old_notice();

-- Flows of the version before enqueue through them.
create function ops.insert_old_alert() returns trigger
language plpgsql
as $$
declare
    found_topic text;
    found_kind text;
    found_owner text;
    place bigint;
    chosen uuid = coalesce(new.id, gen_random_uuid());
begin
    select event.rule_id || '/' || event.group_key, event.kind, rule.definition ->> 'owner'
    into found_topic, found_kind, found_owner
    from ops.alert_events as event
    left join ops.alert_rules as rule on event.rule_id = rule.id
    where event.id = new.event_id;
    insert into ops.messages (id, domain, kind, topic, owner, reference, content)
    values (
        chosen,
        'alerts',
        coalesce(found_kind, 'firing'),
        coalesce(found_topic, ''),
        found_owner,
        coalesce(new.event_id::text, ''),
        jsonb_build_object('subject', 'Alert', 'text', '') || jsonb_strip_nulls(new.payload)
    )
    returning position into place;
    insert into ops.deliveries (
        id, message_id, domain, topic, position, channel, recipient, idempotency_key
    )
    values (
        chosen,
        chosen,
        'alerts',
        case when found_topic is null then '' else md5(found_topic) end,
        place,
        new.channel,
        new.recipient,
        new.message_id
    );
    return new;
end
$$;
comment on function ops.insert_old_alert is 'Lets flows of the version before enqueue through the old name, for one release';

create function ops.insert_old_notice() returns trigger
language plpgsql
as $$
declare
    place bigint;
    chosen uuid = coalesce(new.id, gen_random_uuid());
begin
    insert into ops.messages (id, domain, kind, topic, reference, content)
    values (
        chosen,
        'monitoring',
        'deployment_' || new.kind,
        new.deployment,
        new.deployment,
        ops.deployment_content(new.deployment, new.kind, new.details)
    )
    returning position into place;
    insert into ops.deliveries (
        id, message_id, domain, topic, position, channel, recipient, idempotency_key
    )
    values (
        chosen,
        chosen,
        'monitoring',
        md5(new.deployment),
        place,
        new.channel,
        new.recipient,
        chosen::text
    );
    return new;
end
$$;
comment on function ops.insert_old_notice is 'The same for notices about deployments';

create trigger insert_old_alert instead of insert on ops.alert_deliveries
for each row execute function ops.insert_old_alert();
create trigger insert_old_notice instead of insert on ops.deployment_notices
for each row execute function ops.insert_old_notice();

create function ops.delete_old_notice() returns trigger
language plpgsql
as $$
begin
    delete from ops.deliveries
    where id = old.id;
    return old;
end
$$;
comment on function ops.delete_old_notice is 'Lets the version before delete old notices about deployments, for one release';
create trigger delete_old_notice instead of delete on ops.deployment_notices
for each row execute function ops.delete_old_notice();
