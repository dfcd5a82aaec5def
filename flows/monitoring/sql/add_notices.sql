-- One row per turn and recipient.
insert into ops.deployment_notices (deployment, kind, details, channel, recipient)
select r.deployment, r.kind, r.details, r.channel, r.recipient
from jsonb_to_recordset(cast(:rows as jsonb)) as r (
    deployment text, kind text, details jsonb, channel text, recipient text
);
