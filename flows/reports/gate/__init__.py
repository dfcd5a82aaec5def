"""The gate: what must hold for a report to be sent (``requires``), and the runs that are held until then."""
