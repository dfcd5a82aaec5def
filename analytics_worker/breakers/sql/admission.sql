select state, generation, failures
from breaker
where name = ?
