"""Keep measurements of what is due every minute away from the end of a minute."""

import time

ENDS_AT = 50.0


def wait_for_time_in_this_minute() -> None:
    """Wait for the next minute if this one ends soon, because every rule is due again then."""
    elapsed = time.time() % 60
    time.sleep(60.5 - elapsed if elapsed > ENDS_AT else 0)
