select from ops.locks where name = 'promises' for update
