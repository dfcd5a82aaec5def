select
    rule,
    owner,
    severity,
    keys
from ops.alert_silences
where until > :now
