create table ops.alert_requests (
    id uuid primary key,
    alert text not null,
    requested_at timestamptz not null,
    accepted_at timestamptz not null default now(),
    result jsonb not null
);
create index alert_requests_alert on ops.alert_requests (md5(alert), requested_at);
create index alert_requests_accepted_at on ops.alert_requests (accepted_at);
comment on table ops.alert_requests is
'Requests of events that were evaluated, in the transaction that wrote their alert: another run of one does nothing';
comment on column ops.alert_requests.id is 'Id of the first flow run of the request';
comment on column ops.alert_requests.alert is 'Identity of the alert: the name of its rule of kind event';
comment on column ops.alert_requests.requested_at is 'When the first flow run was due';
comment on column ops.alert_requests.accepted_at is 'When it was evaluated';
comment on column ops.alert_requests.result is 'Result of the evaluation, with the ids of its messages';

create table ops.lost_requests (
    run_id uuid primary key,
    request_id uuid not null,
    deployment text not null,
    requested_at timestamptz not null,
    ended_at timestamptz not null,
    state text not null,
    message text not null,
    reruns integer not null default 0,
    status text not null default 'waiting' check (status in ('waiting', 'rerun', 'dropped', 'given up')),
    due_at timestamptz not null,
    next_run_id uuid,
    reason text
);
create index lost_requests_due on ops.lost_requests (due_at) where status = 'waiting';
create index lost_requests_next_run on ops.lost_requests (next_run_id);
create index lost_requests_ended_at on ops.lost_requests (ended_at);
comment on table ops.lost_requests is
'Flow runs that ended before they could do what their parameters request, which is stored nowhere else; one row for each run';
comment on column ops.lost_requests.run_id is 'The flow run that was lost';
comment on column ops.lost_requests.request_id is 'The first flow run of the request';
comment on column ops.lost_requests.deployment is 'Flow and name of the deployment';
comment on column ops.lost_requests.requested_at is 'When the first flow run was due';
comment on column ops.lost_requests.ended_at is 'When the run ended';
comment on column ops.lost_requests.state is 'Name of the state in which it ended';
comment on column ops.lost_requests.message is 'Message of that state';
comment on column ops.lost_requests.reruns is 'Number of earlier runs of the request that were lost';
comment on column ops.lost_requests.status is
'waiting for its next run; rerun: that is created; dropped: the run was started again or did its work; given up: it is not run again';
comment on column ops.lost_requests.due_at is 'When the request runs again, at the earliest';
comment on column ops.lost_requests.next_run_id is 'The flow run that runs it again';
comment on column ops.lost_requests.reason is 'Why it was dropped or given up, or could not be run again yet';
