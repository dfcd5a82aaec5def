-- Every table, view and column has a comment: docs/schema.md is generated from them.

comment on view ops.alert_deliveries is 'Deprecated, for one release: deliveries of alerts; use ops.deliveries';
comment on column ops.alert_deliveries.id is 'Primary key';
comment on column ops.alert_deliveries.event_id is
'Id of the event in ops.alert_events; null for a notice to an owner';
comment on column ops.alert_deliveries.channel is 'Name of the channel';
comment on column ops.alert_deliveries.recipient is 'An address, or the name of the channel';
comment on column ops.alert_deliveries.message_id is 'Idempotency key of the delivery';
comment on column ops.alert_deliveries.payload is 'Content of the message';
comment on column ops.alert_deliveries.status is 'pending, sending, sent, failed or skipped';
comment on column ops.alert_deliveries.attempts is 'Number of attempts that are counted';
comment on column ops.alert_deliveries.next_attempt_at is 'Earliest time of the next attempt';
comment on column ops.alert_deliveries.lease_owner is 'Token of the sender that has claimed the delivery';
comment on column ops.alert_deliveries.lease_until is 'End of the lease';
comment on column ops.alert_deliveries.last_error is 'Reason of the last failed attempt';
comment on column ops.alert_deliveries.created_at is 'When it was enqueued';
comment on column ops.alert_deliveries.sent_at is 'When the receiver accepted it';

comment on column ops.alert_evaluations.rule_id is 'Id of the rule in ops.alert_rules';
comment on column ops.alert_evaluations.slot is 'Start of the period that was evaluated';
comment on column ops.alert_evaluations.evaluated_at is 'When the evaluation ran';
comment on column ops.alert_evaluations.status is
'State of the rule after the evaluation: ok, pending, firing, no_data, error or unknown';
comment on column ops.alert_evaluations.severity is 'warning or critical, while the rule fires';
comment on column ops.alert_evaluations.value is
'Value that was compared: the sample or its change; for a rule with keys, the worst one';
comment on column ops.alert_evaluations.reading is
'Sample: the number that the SQL returned; for a rule with keys, the worst one';
comment on column ops.alert_evaluations.rows is 'Number of rows that the SQL returned';
comment on column ops.alert_evaluations.keys is 'Number of keys; 1 for a rule without keys';
comment on column ops.alert_evaluations.firing is 'Number of keys that fire';
comment on column ops.alert_evaluations.milliseconds is 'Duration of the SQL in milliseconds';
comment on column ops.alert_evaluations.attempts is 'Number of attempts to run the SQL';
comment on column ops.alert_evaluations.error is 'Why the rule could not be evaluated';
comment on column ops.alert_evaluations.readings is 'For a rule with keys: the sample of each key';
comment on column ops.alert_evaluations.flow_run_id is 'Flow run that evaluated the rule';

comment on table ops.alert_events is
'Events: one row per change of an alert state that is worth a notification, for all its recipients';
comment on column ops.alert_events.id is 'Primary key';
comment on column ops.alert_events.uid is 'Id of the event in messages and idempotency keys';
comment on column ops.alert_events.rule_id is 'Id of the rule in ops.alert_rules';
comment on column ops.alert_events.kind is
'firing, still_firing, resolved, no_data, flapping, error, error_resolved or delivery_failed';
comment on column ops.alert_events.severity is 'warning or critical';
comment on column ops.alert_events.audience is 'readers: the recipients of the rule; owner: its owner';
comment on column ops.alert_events.group_key is 'Group of keys that share one notification; empty without group_by';
comment on column ops.alert_events.keys is 'Number of keys that the event is about';
comment on column ops.alert_events.details is 'Values for the notification';
comment on column ops.alert_events.flow_run_id is 'Flow run that recorded the event';
comment on column ops.alert_events.created_at is 'When the event was recorded';

comment on column ops.alert_rules.id is 'Primary key';
comment on column ops.alert_rules.kind is 'alert, threshold or event';
comment on column ops.alert_rules.name is 'Name of the rule';
comment on column ops.alert_rules.every is 'Interval between evaluations';
comment on column ops.alert_rules.enabled is 'Whether the rule is evaluated';
comment on column ops.alert_rules.watched is
'Whether the schedule evaluates it; for rules of events: only while they fire and have SQL';
comment on column ops.alert_rules.silenced_until is 'End of the silence; null without one';
comment on column ops.alert_rules.silence_reason is 'Reason of the silence';
comment on column ops.alert_rules.evaluated_at is 'When the rule was last evaluated';
comment on column ops.alert_rules.milliseconds is 'Duration of the last evaluation in milliseconds';
comment on column ops.alert_rules.error is 'Why the last evaluation failed; null if it succeeded';
comment on column ops.alert_rules.error_since is 'Start of the failing evaluations';
comment on column ops.alert_rules.error_told is 'Whether the owner was notified of the error';
comment on column ops.alert_rules.retired_at is
'When the rule was removed from its file; since then it is neither evaluated nor notified';
comment on column ops.alert_rules.created_at is 'When the rule was stored';
comment on column ops.alert_rules.updated_at is 'When the definition last changed';

comment on table ops.alert_states is
'State of each rule, or of each of its keys, and what its recipients were notified of';
comment on column ops.alert_states.rule_id is 'Id of the rule in ops.alert_rules';
comment on column ops.alert_states.status is 'unknown, ok, pending, firing or no_data';
comment on column ops.alert_states.severity is 'warning or critical, while it fires';
comment on column ops.alert_states.value is 'Value that was compared: the sample or its change';
comment on column ops.alert_states.reading is 'Sample: the number that the SQL returned';
comment on column ops.alert_states.worst is 'Worst value since it started to fire';
comment on column ops.alert_states.since is 'Start of the status';
comment on column ops.alert_states.pending_since is 'Start of the pending time; null while the condition is not met';
comment on column ops.alert_states.firing_since is 'Start of firing';
comment on column ops.alert_states.empty_since is 'When the SQL first returned no value';
comment on column ops.alert_states.told is
'Notified severity: the highest severity that recipients were notified of; null if none or resolved';
comment on column ops.alert_states.told_at is
'When the last notification was due; the interval of repeats starts here';
comment on column ops.alert_states.changes is 'Times at which it started or stopped to fire within the last hour';
comment on column ops.alert_states.flapping_since is 'Start of flapping; null if it does not flap';
comment on column ops.alert_states.updated_at is 'When the row last changed';

comment on column ops.alert_status.kind is 'alert, threshold or event';
comment on column ops.alert_status.name is 'Name of the rule';
comment on column ops.alert_status.key is 'Values of the key columns as a JSON array; empty for a rule without keys';
comment on column ops.alert_status.status is 'unknown, ok, pending, firing, no_data or error';
comment on column ops.alert_status.severity is 'warning or critical, while it fires';
comment on column ops.alert_status.value is 'Value that was last compared';
comment on column ops.alert_status.since is 'Start of the status';
comment on column ops.alert_status.told is 'Notified severity: the highest severity that recipients were notified of';
comment on column ops.alert_status.flapping is 'Whether it flaps';
comment on column ops.alert_status.silenced is 'Whether a silence is active';
comment on column ops.alert_status.silenced_until is 'End of the silence';
comment on column ops.alert_status.error is 'Why the rule could not be evaluated';
comment on column ops.alert_status.owner is 'Owner of the rule';
comment on column ops.alert_status.evaluated_at is 'When the rule was last evaluated';
comment on column ops.alert_status.untold is 'Whether the state was not notified, because the rule has no recipients';

comment on column ops.alert_thresholds.id is 'Primary key';
comment on column ops.alert_thresholds.kind is 'Always threshold';
comment on column ops.alert_thresholds.name is 'Name of the rule';
comment on column ops.alert_thresholds.definition is 'The rule as validated; null fields are left out';
comment on column ops.alert_thresholds.every is 'Interval between evaluations';
comment on column ops.alert_thresholds.enabled is 'Whether the rule is evaluated';
comment on column ops.alert_thresholds.watched is 'Whether the schedule evaluates it';
comment on column ops.alert_thresholds.silenced_until is 'End of the silence; null without one';
comment on column ops.alert_thresholds.silence_reason is 'Reason of the silence';
comment on column ops.alert_thresholds.evaluated_slot is 'Start of the period that was last evaluated';
comment on column ops.alert_thresholds.evaluated_at is 'When the rule was last evaluated';
comment on column ops.alert_thresholds.milliseconds is 'Duration of the last evaluation in milliseconds';
comment on column ops.alert_thresholds.error is 'Why the last evaluation failed; null if it succeeded';
comment on column ops.alert_thresholds.error_since is 'Start of the failing evaluations';
comment on column ops.alert_thresholds.error_told is 'Whether the owner was notified of the error';
comment on column ops.alert_thresholds.retired_at is 'When the rule was removed from its file';
comment on column ops.alert_thresholds.created_at is 'When the rule was stored';
comment on column ops.alert_thresholds.updated_at is 'When the definition last changed';

comment on column ops.catalog.schema_name is 'Schema of the relation';
comment on column ops.catalog.relation_name is 'Name of the relation';
comment on column ops.catalog.kind is 'table, partitioned table, view, materialized view or foreign table';
comment on column ops.catalog.status is
'active, stale (the data is too old) or missing (the relation no longer exists)';
comment on column ops.catalog.description is 'Comment on the relation';
comment on column ops.catalog.columns is 'Number of columns';
comment on column ops.catalog.row_estimate is 'Number of rows as of the last ANALYZE or VACUUM; null if never';
comment on column ops.catalog.bytes is 'Size in bytes, with indexes and TOAST';
comment on column ops.catalog.last_analyzed_at is 'When statistics were last collected';
comment on column ops.catalog.last_refreshed_at is 'When a materialized view was last refreshed';
comment on column ops.catalog.data_as_of is 'When the data last changed, or was known to be up to date';
comment on column ops.catalog.age is 'Time since data_as_of';
comment on column ops.catalog.first_seen_at is 'When the relation was first found';
comment on column ops.catalog.missing_since is 'When the relation was first found missing; null if it exists';
comment on column ops.catalog.updated_at is 'When the row was last updated';
comment on column ops.catalog.oid is 'Object id of the relation';

comment on table ops.catalog_changes is 'Changes of relations and columns of the warehouse';
comment on column ops.catalog_changes.id is 'Primary key';
comment on column ops.catalog_changes.changed_at is 'When the change was found';
comment on column ops.catalog_changes.schema_name is 'Schema of the relation';
comment on column ops.catalog_changes.relation_name is 'Name of the relation';
comment on column ops.catalog_changes.column_name is 'Name of the column; null for a change of the relation';
comment on column ops.catalog_changes.change is
'relation appeared, relation vanished, kind changed, column added, column removed, type changed or nullability changed';
comment on column ops.catalog_changes.before is 'Value before the change';
comment on column ops.catalog_changes.after is 'Value after the change';

comment on column ops.catalog_columns.schema_name is 'Schema of the relation';
comment on column ops.catalog_columns.relation_name is 'Name of the relation';
comment on column ops.catalog_columns.column_name is 'Name of the column';
comment on column ops.catalog_columns.position is 'Position of the column, from 1';
comment on column ops.catalog_columns.data_type is 'Data type as PostgreSQL writes it';
comment on column ops.catalog_columns.nullable is 'Whether the column may be null';
comment on column ops.catalog_columns.description is 'Comment on the column';

comment on column ops.catalog_relations.schema_name is 'Schema of the relation';
comment on column ops.catalog_relations.relation_name is 'Name of the relation';
comment on column ops.catalog_relations.oid is 'Object id of the relation';
comment on column ops.catalog_relations.kind is 'table, partitioned table, view, materialized view or foreign table';
comment on column ops.catalog_relations.description is 'Comment on the relation';
comment on column ops.catalog_relations.columns is 'Number of columns';
comment on column ops.catalog_relations.row_estimate is
'Number of rows as of the last ANALYZE or VACUUM; null if never';
comment on column ops.catalog_relations.bytes is
'Size in bytes, with indexes and TOAST; for a partitioned table, with its partitions';
comment on column ops.catalog_relations.storage is
'Files and counters at the time of the last measurement; if they differ, the bytes are measured again';
comment on column ops.catalog_relations.modifications is
'File and modification counters; if they differ, the data has changed';
comment on column ops.catalog_relations.last_analyzed_at is 'When statistics were last collected';
comment on column ops.catalog_relations.last_refreshed_at is 'When a materialized view was last refreshed';
comment on column ops.catalog_relations.data_as_of is
'When the data last changed, or was known to be up to date; null for relations without storage';
comment on column ops.catalog_relations.status is
'active, stale (the data is too old) or missing (the relation no longer exists)';
comment on column ops.catalog_relations.first_seen_at is 'When the relation was first found';
comment on column ops.catalog_relations.missing_since is
'When the relation was first found missing; null if it exists';
comment on column ops.catalog_relations.updated_at is 'When the row was last updated';

comment on column ops.dbt_node_results.run_id is 'Id of the run in ops.dbt_runs';
comment on column ops.dbt_node_results.unique_id is 'Id of the node in dbt, such as model.project.name';
comment on column ops.dbt_node_results.resource_type is 'model, test, seed, snapshot or another type of dbt';
comment on column ops.dbt_node_results.name is 'Name of the node';
comment on column ops.dbt_node_results.status is 'Result of the node as dbt reports it';
comment on column ops.dbt_node_results.seconds is 'Duration in seconds';
comment on column ops.dbt_node_results.rows_affected is
'Number of rows that the node wrote, if the adapter reports it';
comment on column ops.dbt_node_results.message is 'Message of dbt, with the error of a failed node';

comment on column ops.dbt_runs.id is 'Primary key';
comment on column ops.dbt_runs.flow_run_id is 'Flow run that started dbt';
comment on column ops.dbt_runs.command is 'dbt command, such as run or test';
comment on column ops.dbt_runs.args is 'Arguments of the command';
comment on column ops.dbt_runs.started_at is 'When dbt was started';
comment on column ops.dbt_runs.seconds is 'Duration in seconds; null while it runs';
comment on column ops.dbt_runs.status is 'Result of the run';
comment on column ops.dbt_runs.executed is 'Number of nodes that were executed';
comment on column ops.dbt_runs.passed is 'Number of nodes that succeeded';
comment on column ops.dbt_runs.warned is 'Number of nodes with a warning';
comment on column ops.dbt_runs.failed is 'Number of nodes that failed';
comment on column ops.dbt_runs.skipped is 'Number of nodes that were skipped';
comment on column ops.dbt_runs.error is 'Why the run failed';

comment on table ops.deliveries is
'Outbox: one row per message and recipient, written with the change that caused it and sent later';
comment on column ops.deliveries.id is 'Primary key, generated by the outbox';
comment on column ops.deliveries.message_id is 'Id of the message in ops.messages';
comment on column ops.deliveries.domain is 'Domain of the message; a copy, so that claiming reads one table';
comment on column ops.deliveries.position is 'Position of the message; a copy, so that claiming reads one table';
comment on column ops.deliveries.with_files is 'Whether the message has attachments, which not every host can open';
comment on column ops.deliveries.role is 'Role of the recipient in the headers of an email; owner: of a notice';
comment on column ops.deliveries.idempotency_key is
'The same in every attempt: Message-ID of emails, Idempotency-Key of webhooks';
comment on column ops.deliveries.status is
'pending, sending, sent, failed, digested (a digest names it) or cancelled (last_error has the reason)';
comment on column ops.deliveries.attempts is 'Number of attempts that the receiver answered, or may have received';
comment on column ops.deliveries.next_attempt_at is 'Earliest time of the next attempt';
comment on column ops.deliveries.lease_owner is
'Token of the sender that has claimed it; the sender is alive as long as its connection holds the advisory lock of the token';
comment on column ops.deliveries.lease_until is
'End of the lease, after which another sender may claim it; renewed while sending';
comment on column ops.deliveries.last_error is 'Why it was not sent';
comment on column ops.deliveries.refused_by is 'Senders that could not open its attachments';
comment on column ops.deliveries.refused_at is 'When the last of them refused it; they may retry later';
comment on column ops.deliveries.digest_of is 'Id of the delivery of the digest that names it';
comment on column ops.deliveries.receipt is 'What later messages need to refer to it: ts of Slack, Message-ID';
comment on column ops.deliveries.notice_id is 'For a failed delivery: id of the notice about it';
comment on column ops.deliveries.queued_at is 'Start of the waiting time: when it was enqueued or resent';
comment on column ops.deliveries.failed_at is 'When an attempt last failed';

comment on table ops.delivery_channels is 'Rate and pauses of each channel, shared by all hosts';
comment on column ops.delivery_channels.paused_until is
'End of the pause that the receiver requested (429 with Retry-After)';
comment on column ops.delivery_channels.pauses is
'Number of consecutive pauses, each within an hour of the previous one';
comment on column ops.delivery_channels.limited_at is 'When the receiver last requested a pause';
comment on column ops.delivery_channels.tokens is 'Number of messages that the rate allowed at refilled_at';
comment on column ops.delivery_channels.refilled_at is 'When tokens was computed';
comment on column ops.delivery_channels.not_configured_since is
'Since when messages wait because the channel is not configured';
comment on column ops.delivery_channels.reason is 'Why the channel is paused or can''t be used';

comment on table ops.deployment_health is 'Result of the last run of each deployment, and since when it fails';
comment on column ops.deployment_health.deployment is 'Flow and name of the deployment';
comment on column ops.deployment_health.status is 'ok or failing';
comment on column ops.deployment_health.since is 'Start of the status';
comment on column ops.deployment_health.failures is 'Number of consecutive failed runs';
comment on column ops.deployment_health.last_run_id is 'Last flow run that ended';
comment on column ops.deployment_health.last_ended_at is 'When that run ended';
comment on column ops.deployment_health.last_state is 'Name of the state in which that run ended';
comment on column ops.deployment_health.last_message is 'Message of that state';
comment on column ops.deployment_health.notified_since is
'Start of the failures that recipients were last notified of; if it differs from since, the current failures were not notified';

comment on view ops.deployment_notices is
'Deprecated, for one release: deliveries of monitoring; use ops.deliveries';
comment on column ops.deployment_notices.id is 'Primary key';
comment on column ops.deployment_notices.deployment is 'Flow and name of the deployment';
comment on column ops.deployment_notices.kind is 'failing or recovered';
comment on column ops.deployment_notices.details is 'Content of the message as JSON';
comment on column ops.deployment_notices.channel is 'Name of the channel';
comment on column ops.deployment_notices.recipient is 'An address, or the name of the channel';
comment on column ops.deployment_notices.status is 'pending, sent or failed';
comment on column ops.deployment_notices.attempts is 'Number of attempts that are counted';
comment on column ops.deployment_notices.next_attempt_at is 'Earliest time of the next attempt';
comment on column ops.deployment_notices.last_error is 'Reason of the last failed attempt';
comment on column ops.deployment_notices.created_at is 'When it was enqueued';
comment on column ops.deployment_notices.sent_at is 'When the receiver accepted it';

comment on table ops.judged_runs is
'Ended runs that are counted in ops.deployment_health, kept as long as ended runs are read again';
comment on column ops.judged_runs.run_id is 'Id of the flow run';
comment on column ops.judged_runs.state_id is 'Id of the state in which it ended';
comment on column ops.judged_runs.ended_at is 'When it ended';

comment on table ops.locks is 'Locks of work that only one process at a time may do';
comment on column ops.locks.name is 'Name of the lock';
comment on column ops.locks.key is 'Key of the advisory lock of the session that holds the lock, or held it last';

comment on table ops.messages is 'Outbox: one row per message, for all its recipients';
comment on column ops.messages.domain is 'Domain that enqueued it: alerts, reports or monitoring';
comment on column ops.messages.topic is 'Messages of one topic reach a recipient in order; empty: in any order';
comment on column ops.messages.follows is 'Id of an earlier message: only recipients of that one get this one';
comment on column ops.messages.owner is
'Notified if it can''t be delivered: an email address or the name of a channel';
comment on column ops.messages.fallback is
'Notified instead, in this order, if there is no owner or the owner can''t be reached: [channel, address]';
comment on column ops.messages.reference is
'Id of the row of the domain that it is about: alert event, report run, deployment';
comment on column ops.messages.content is 'Content as analytics_worker.delivery.message.Content';
comment on column ops.messages.resent is 'How often it was resent on request';
comment on column ops.messages.notice_of is 'For a notice that a message could not be delivered: id of that message';
comment on column ops.messages.notice_channel is 'For such a notice: channel of the failed deliveries';
comment on column ops.messages.unheard_at is 'For such a notice: when the last candidate could not be reached';

comment on table ops.query_counters is
'Counters of pg_stat_statements at the last snapshot, from which the next differences are computed';
comment on column ops.query_counters.user_id is 'Object id of the role';
comment on column ops.query_counters.query_id is 'Id of the statement in pg_stat_statements';
comment on column ops.query_counters.top_level is 'Whether the statement was not executed inside a function';
comment on column ops.query_counters.calls is 'Number of executions';
comment on column ops.query_counters.total_ms is 'Execution time in milliseconds';
comment on column ops.query_counters.rows is 'Number of rows returned or affected';
comment on column ops.query_counters.blocks_hit is 'Number of shared blocks found in the cache';
comment on column ops.query_counters.blocks_read is 'Number of shared blocks read';
comment on column ops.query_counters.temp_blocks is 'Number of temporary blocks written';
comment on column ops.query_counters.wal_bytes is 'WAL written, in bytes';
comment on column ops.query_counters.reset_at is 'When the counters were last reset';
comment on column ops.query_counters.taken_at is 'When the snapshot was taken';

comment on table ops.query_statistics is
'Statements with the most execution time between two snapshots; the counters are differences';
comment on column ops.query_statistics.taken_at is 'When the snapshot was taken';
comment on column ops.query_statistics.rank is 'Rank by execution time, from 1';
comment on column ops.query_statistics.query_id is 'Id of the statement in ops.query_texts';
comment on column ops.query_statistics.role_name is 'Role that executed the statement';
comment on column ops.query_statistics.top_level is 'Whether the statement was not executed inside a function';
comment on column ops.query_statistics.since is
'Start of the interval: the previous snapshot, or the last reset of the counters';
comment on column ops.query_statistics.calls is 'Number of executions';
comment on column ops.query_statistics.total_seconds is 'Execution time in seconds';
comment on column ops.query_statistics.mean_milliseconds is 'Execution time per execution in milliseconds';
comment on column ops.query_statistics.rows is 'Number of rows returned or affected';
comment on column ops.query_statistics.blocks_hit is 'Number of shared blocks found in the cache';
comment on column ops.query_statistics.blocks_read is 'Number of shared blocks read';
comment on column ops.query_statistics.temp_blocks is 'Number of temporary blocks written';
comment on column ops.query_statistics.wal_bytes is 'WAL written, in bytes';

comment on column ops.query_texts.query_id is 'Id of the statement in pg_stat_statements';
comment on column ops.query_texts.query is 'Text of the statement with placeholders instead of constants';
comment on column ops.query_texts.first_seen_at is 'When the statement was first stored';

comment on table ops.refresh_log is
'One row per attempt to refresh a materialized view, and per decision not to refresh it';
comment on column ops.refresh_log.id is 'Primary key';
comment on column ops.refresh_log.flow_run_id is 'Flow run of the attempt';
comment on column ops.refresh_log.schema_name is 'Schema of the view';
comment on column ops.refresh_log.view_name is 'Name of the view';
comment on column ops.refresh_log.view_oid is 'Object id of the view';
comment on column ops.refresh_log.attempt is 'Number of the attempt within the run, from 1';
comment on column ops.refresh_log.status is 'running, success, failed, skipped or unchanged';
comment on column ops.refresh_log.mode is 'concurrently or plain; null if it was not refreshed';
comment on column ops.refresh_log.reason is 'Why it was refreshed in this mode, or why it was not refreshed';
comment on column ops.refresh_log.rows is 'Number of rows after the refresh';
comment on column ops.refresh_log.bytes is 'Size after the refresh in bytes';
comment on column ops.refresh_log.wait_seconds is 'Time spent waiting for locks, in seconds';
comment on column ops.refresh_log.seconds is 'Duration in seconds';
comment on column ops.refresh_log.error is 'Why it failed';
comment on column ops.refresh_log.fingerprint is
'State of the inputs just before the refresh, from which changes are detected';
comment on column ops.refresh_log.started_at is 'When the attempt started';
comment on column ops.refresh_log.finished_at is 'When the attempt ended; null while it runs';
comment on column ops.refresh_log.lock_key is 'Key of the advisory lock of the transaction that refreshes';

comment on column ops.report_definitions.name is 'Name of the report';
comment on column ops.report_definitions.definition is
'The report as validated; fields with their default are left out';
comment on column ops.report_definitions.schedule is 'daily, weekly, monthly or manual';
comment on column ops.report_definitions.enabled is 'Whether the report is scheduled';
comment on column ops.report_definitions.done_until is
'End of the last period that was requested; later periods that were missed are requested again';
comment on column ops.report_definitions.retired_at is
'When the report was removed from its file; since then it is not generated';
comment on column ops.report_definitions.created_at is 'When the report was stored';
comment on column ops.report_definitions.updated_at is 'When the definition last changed';

comment on view ops.report_deliveries is 'Deprecated, for one release: deliveries of reports; use ops.deliveries';
comment on column ops.report_deliveries.id is 'Primary key';
comment on column ops.report_deliveries.run_id is 'Id of the run in ops.report_runs';
comment on column ops.report_deliveries.recipient is 'An address, or the name of the channel';
comment on column ops.report_deliveries.role is 'to, cc, bcc or owner';
comment on column ops.report_deliveries.message_id is 'Idempotency key of the delivery';
comment on column ops.report_deliveries.payload is 'Content of a notice; null for reports';
comment on column ops.report_deliveries.status is 'pending, sending, sent or failed';
comment on column ops.report_deliveries.attempts is 'Number of attempts that are counted';
comment on column ops.report_deliveries.next_attempt_at is 'Earliest time of the next attempt';
comment on column ops.report_deliveries.lease_owner is 'Token of the sender that has claimed the delivery';
comment on column ops.report_deliveries.lease_until is 'End of the lease';
comment on column ops.report_deliveries.last_error is 'Reason of the last failed attempt';
comment on column ops.report_deliveries.created_at is 'When it was enqueued';
comment on column ops.report_deliveries.sent_at is 'When the receiver accepted it';

comment on column ops.report_runs.id is 'Primary key';
comment on column ops.report_runs.report is 'Name of the report';
comment on column ops.report_runs.kind is 'scheduled, single or ad_hoc';
comment on column ops.report_runs.period is
'2026-11-22, 2026-W47 or 2026-11; for an ad-hoc report, the flow run that requested it';
comment on column ops.report_runs.key is 'For a report with for_each: the key of the row; otherwise empty';
comment on column ops.report_runs.definition is
'The report at the time of the request, so that any worker can finish the run';
comment on column ops.report_runs.row_values is 'For a report with for_each: the values of the row';
comment on column ops.report_runs.period_start is 'Start of the period';
comment on column ops.report_runs.period_end is 'End of the period, exclusive';
comment on column ops.report_runs.status is 'pending, running, ready, skipped or failed';
comment on column ops.report_runs.reason is 'Why it was skipped, or a note for its readers about its data';
comment on column ops.report_runs.error is 'Why it failed';
comment on column ops.report_runs.attempts is 'Number of attempts to generate it';
comment on column ops.report_runs.rows is 'Number of rows in its files';
comment on column ops.report_runs.truncated is 'Whether rows were left out because of max_rows';
comment on column ops.report_runs.content_hash is
'Hash of the rows, to detect whether they changed since the previous run';
comment on column ops.report_runs.files is 'Name, format, size in bytes and number of rows of each file';
comment on column ops.report_runs.bytes is 'Size of all files in bytes';
comment on column ops.report_runs.lease_owner is
'Token of the process that generates it; it is alive as long as its connection holds the advisory lock of the token';
comment on column ops.report_runs.lease_until is 'End of the lease, after which another process may claim the run';
comment on column ops.report_runs.flow_run_id is 'Flow run that requested or last generated it';
comment on column ops.report_runs.created_at is 'When it was requested';
comment on column ops.report_runs.started_at is 'When the last attempt started';
comment on column ops.report_runs.finished_at is 'When it ended';

comment on table ops.task_statistics is
'Runs that ended within the 24 hours before window_end: one row per day and flow or task';
comment on column ops.task_statistics.day is 'Day of window_end';
comment on column ops.task_statistics.kind is 'flow or task';
comment on column ops.task_statistics.name is 'Name of the deployment, or of the flow and its task';
comment on column ops.task_statistics.window_start is 'Start of the 24 hours';
comment on column ops.task_statistics.window_end is 'End of the 24 hours';
comment on column ops.task_statistics.runs is 'Number of runs that ended';
comment on column ops.task_statistics.states is 'Number of runs by the name of their final state';
comment on column ops.task_statistics.retries is 'Number of retries within the runs';
comment on column ops.task_statistics.success_rate is 'Share of completed runs, from 0 to 1; null without runs';
comment on column ops.task_statistics.duration_p50 is 'Median time from start to end, in seconds';
comment on column ops.task_statistics.duration_p95 is '95th percentile of the time from start to end, in seconds';
comment on column ops.task_statistics.duration_max is 'Longest time from start to end, in seconds';
comment on column ops.task_statistics.wait_p50 is 'Median time from the scheduled time to the start, in seconds';
comment on column ops.task_statistics.wait_p95 is
'95th percentile of the time from the scheduled time to the start, in seconds';
comment on column ops.task_statistics.wait_max is 'Longest time from the scheduled time to the start, in seconds';
comment on column ops.task_statistics.runs_before is 'Number of runs that ended in the 24 hours before window_start';
comment on column ops.task_statistics.success_rate_before is
'Share of completed runs in the 24 hours before window_start, from 0 to 1';
comment on column ops.task_statistics.duration_p95_before is
'95th percentile of the time from start to end in the 24 hours before window_start, in seconds';
comment on column ops.task_statistics.updated_at is 'When the row was last computed';

comment on table ops.worker_metrics is
'One row per minute: the host, the processes of the worker, and its work pools';
comment on column ops.worker_metrics.collected_at is 'When the values were collected';
comment on column ops.worker_metrics.host is 'Name of the host';
comment on column ops.worker_metrics.cpu_count is 'Number of processors';
comment on column ops.worker_metrics.cpu_percent is 'Use of all processors during the measurement, from 0 to 100';
comment on column ops.worker_metrics.load_1m is 'Load average over 1 minute';
comment on column ops.worker_metrics.load_5m is 'Load average over 5 minutes';
comment on column ops.worker_metrics.load_15m is 'Load average over 15 minutes';
comment on column ops.worker_metrics.memory_total_bytes is 'Memory of the host in bytes';
comment on column ops.worker_metrics.memory_available_bytes is 'Available memory in bytes';
comment on column ops.worker_metrics.disk_total_bytes is 'Size of the file system of the state folder in bytes';
comment on column ops.worker_metrics.disk_free_bytes is 'Free space of the file system of the state folder in bytes';
comment on column ops.worker_metrics.processes is
'By component: number of processes and their resident memory in bytes; shared pages count in each process';
comment on column ops.worker_metrics.workers_online is 'Number of workers with a recent heartbeat';
comment on column ops.worker_metrics.runs_running is 'Number of runs that occupy a slot of their work pool';
comment on column ops.worker_metrics.runs_waiting is 'Number of runs that are due and wait for a slot';
comment on column ops.worker_metrics.runs_late is 'Number of waiting runs that the server has marked late';
comment on column ops.worker_metrics.pools is 'By work pool: limit, occupied slots, workers online, waiting runs';

comment on table ops.alembic_version is 'Revision of this schema, kept by Alembic';
comment on column ops.alembic_version.version_num is 'Name of the last migration';
