-- Lock those of the rules that depend on others and that no run evaluates now: such a run mutes them itself.
select id
from ops.alert_rules
where id = any(cast(:rule_ids as bigint [])) and definition ? 'depends_on'
order by id
for update skip locked
