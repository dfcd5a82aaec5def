select schema_name, relation_name, reason from ops.event_time_measurements
