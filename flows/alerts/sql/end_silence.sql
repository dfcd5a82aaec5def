delete from ops.alert_silences
where
    rule is not distinct from :rule_name
    and owner is not distinct from :owner
    and severity is not distinct from :severity
    and keys = cast(:keys as text [])
returning until > now() as was_active
