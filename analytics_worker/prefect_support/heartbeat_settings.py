"""How a run shows that it lives, and how long its silence is believed to be no more than that.

Reads nothing, writes nothing. Every run of prefect.yaml sends a heartbeat so often, whichever worker
starts it; an automation of the server ends runs that fall silent. Another one tells of the silence of
the flow that tells of everything else.
"""

from datetime import timedelta

BEAT_SECONDS = 30  # the shortest that Prefect allows
MISSED_BEATS = 3
SILENCE = timedelta(seconds=BEAT_SECONDS * MISSED_BEATS)

EVENT = "prefect.flow-run.heartbeat"
VARIABLE = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
AUTOMATION = "analytics-worker: crash runs that fell silent"
REASON = (
    f"No heartbeat for {BEAT_SECONDS * MISSED_BEATS} s: the run's process is gone, or its host is."
)

MONITORING_AUTOMATION = "analytics-worker: tell that monitoring fails"
MONITORING_SILENCE = timedelta(minutes=10)  # of a flow that should succeed every minute
