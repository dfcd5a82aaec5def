select from ops.locks where name = 'incidents' for update
