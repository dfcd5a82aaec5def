insert into ops.alert_silences (rule, owner, severity, keys, until, reason)
values (:rule_name, :owner, :severity, cast(:keys as text []), :until, :reason)
