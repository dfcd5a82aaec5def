create table ops.messages (
    id uuid primary key default gen_random_uuid(),
    position bigint generated always as identity,
    domain text not null check (domain in ('alerts', 'reports', 'monitoring')),
    kind text not null,
    topic text not null default '',
    follows uuid references ops.messages on delete set null,
    owner text,
    fallback jsonb not null default '[]',
    reference text not null default '',
    content jsonb not null,
    resent integer not null default 0,
    notice_of uuid references ops.messages on delete cascade,
    notice_channel text,
    unheard_at timestamptz,
    created_at timestamptz not null default now()
);
comment on table ops.messages is 'What is sent: one row per message, whatever the number of its recipients';
comment on column ops.messages.id is 'Idempotency keys are derived from it unless the domain chose its own';
comment on column ops.messages.position is 'Order in which messages were enqueued';
comment on column ops.messages.domain is 'Which part of the worker enqueued it';
comment on column ops.messages.kind is 'firing, resolved, report, deployment_failing, delivery_failed, digest, …';
comment on column ops.messages.topic is 'Messages of one topic reach a recipient in order; empty: in any order';
comment on column ops.messages.follows is 'An earlier message: only recipients that got that one get this one';
comment on column ops.messages.owner is 'Notified if it cannot be delivered: an email address or the name of a channel';
comment on column ops.messages.fallback is 'Notified, in this order, where the owner is missing or cannot be reached: [channel, address]';
comment on column ops.messages.reference is 'Id of the row of the domain that it is about: alert event, report run, deployment';
comment on column ops.messages.content is 'What it says, as analytics_worker.delivery.message.Content; stored once for all recipients';
comment on column ops.messages.resent is 'How often it was sent again on request';
comment on column ops.messages.notice_of is 'Of a notice that a message could not be delivered: that message';
comment on column ops.messages.notice_channel is 'Of such a notice: the channel of the failed deliveries';
comment on column ops.messages.unheard_at is 'Of such a notice: when the last candidate to be notified had failed';
comment on column ops.messages.created_at is 'When it was enqueued';
create index messages_created_at on ops.messages (domain, created_at);
create index messages_reference on ops.messages (domain, reference) where reference <> '';
create index messages_follows on ops.messages (follows) where follows is not null;
create index messages_notice_of on ops.messages (notice_of) where notice_of is not null;

create table ops.deliveries (
    id uuid primary key default gen_random_uuid(),
    message_id uuid not null references ops.messages on delete cascade,
    domain text not null,
    topic text not null default '',
    position bigint not null,
    with_files boolean not null default false,
    channel text not null,
    recipient text not null,
    role text not null default 'to' check (role in ('to', 'cc', 'bcc', 'owner')),
    idempotency_key text not null unique,
    status text not null default 'pending'
    check (status in ('pending', 'sending', 'sent', 'digested', 'failed', 'cancelled')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    lease_owner text,
    lease_until timestamptz,
    last_error text,
    refused_by text[] not null default '{}',
    refused_at timestamptz,
    digest_of uuid references ops.deliveries on delete set null,
    receipt jsonb not null default '{}',
    notice_id uuid references ops.messages on delete set null,
    created_at timestamptz not null default now(),
    queued_at timestamptz not null default now(),
    sent_at timestamptz
);
comment on table ops.deliveries is 'Outbox: one row per message and recipient, written with the state change, sent later';
comment on column ops.deliveries.id is 'Chosen here';
comment on column ops.deliveries.message_id is 'What is sent';
comment on column ops.deliveries.domain is 'Of the message; repeated here so that claiming reads one table';
comment on column ops.deliveries.topic is 'MD5 of the topic of the message, which may be long; empty without one';
comment on column ops.deliveries.position is 'Of the message; repeated here for the same reason';
comment on column ops.deliveries.with_files is 'Whether the message has attachments, which not every host can open';
comment on column ops.deliveries.channel is 'Name of the channel: email, webhook, slack or a block';
comment on column ops.deliveries.recipient is 'An address, or the name of the channel; never a URL';
comment on column ops.deliveries.role is 'How the headers of an email name the recipient; owner: of a notice';
comment on column ops.deliveries.idempotency_key is 'Same for every attempt: Message-ID of emails, Idempotency-Key of webhooks';
comment on column ops.deliveries.status is 'digested: a digest named it; cancelled: not sent, last_error says why';
comment on column ops.deliveries.attempts is 'Attempts that the receiver answered, or may have seen';
comment on column ops.deliveries.next_attempt_at is 'Not tried before';
comment on column ops.deliveries.lease_owner is 'Who sends it now; alive as long as its connection holds the advisory lock of that token';
comment on column ops.deliveries.lease_until is 'When it is taken back from a sender that is silent, renewed while sending';
comment on column ops.deliveries.last_error is 'Why it was not sent yet, or at all';
comment on column ops.deliveries.refused_by is 'Senders that cannot open its attachments';
comment on column ops.deliveries.refused_at is 'When the last of them said so; they may try again later';
comment on column ops.deliveries.digest_of is 'The delivery of the digest that names it';
comment on column ops.deliveries.receipt is 'What later messages need to refer to it: ts of Slack, Message-ID';
comment on column ops.deliveries.notice_id is 'Of a failed delivery: the notice about it';
comment on column ops.deliveries.created_at is 'When it was enqueued';
comment on column ops.deliveries.queued_at is 'Since when it waits: enqueued, or sent again on request';
comment on column ops.deliveries.sent_at is 'When the receiver accepted it';
create index deliveries_due on ops.deliveries (channel, next_attempt_at) where status = 'pending';
create index deliveries_waiting on ops.deliveries (queued_at) where status = 'pending';
create index deliveries_sending on ops.deliveries (lease_owner) where status = 'sending';
create index deliveries_order on ops.deliveries (channel, topic, position)
where status in ('pending', 'sending') and topic <> '';
create index deliveries_receipts on ops.deliveries (channel, topic, position)
where topic <> '' and receipt <> '{}';
create index deliveries_failed on ops.deliveries (message_id) where status = 'failed' and notice_id is null;
create index deliveries_message on ops.deliveries (message_id);
create index deliveries_digest on ops.deliveries (digest_of) where digest_of is not null;
create index deliveries_sent on ops.deliveries (channel, sent_at) where status = 'sent';

create table ops.delivery_channels (
    channel text primary key,
    paused_until timestamptz,
    pauses integer not null default 0,
    limited_at timestamptz,
    tokens double precision,
    refilled_at timestamptz,
    not_configured_since timestamptz,
    reason text
);
comment on table ops.delivery_channels is 'Pace of each channel, shared by all hosts';
comment on column ops.delivery_channels.channel is 'Name of the channel';
comment on column ops.delivery_channels.paused_until is 'The receiver wants nothing before (429 with Retry-After)';
comment on column ops.delivery_channels.pauses is 'Pauses in a row, each within an hour of the one before';
comment on column ops.delivery_channels.limited_at is 'When the receiver last asked for a pause';
comment on column ops.delivery_channels.tokens is 'Messages that its rate allowed at refilled_at';
comment on column ops.delivery_channels.refilled_at is 'When tokens was counted';
comment on column ops.delivery_channels.not_configured_since is 'Since when messages wait because nobody configured the channel';
comment on column ops.delivery_channels.reason is 'Why it is paused or cannot be used';

create function ops.sender_is_alive(owner text) returns boolean
language sql stable
as $$ select exists (select from ops.key_holders(hashtextextended(owner, 0))) $$;
comment on function ops.sender_is_alive is 'Whether the connection of a sender still holds the advisory lock of its token';
