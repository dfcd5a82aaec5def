select name, since, state, state_since, day, due_at, expected_at, message
from ops.promises
