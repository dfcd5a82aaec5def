"""Elementary's anomaly detection of one metric, as its documentation and its dbt package describe it.

A value is an anomaly if it is more than ``anomaly_sensitivity`` standard deviations from the average of the training
period (docs.elementary-data.com/data-tests/data-anomaly-detection). ``days_back`` is 14; with seasonality
day_of_week, the package (elementary-data/dbt-data-reliability, get_days_back) takes seven times as many days and
compares with the same day of the week (docs.elementary-data.com/data-tests/anomaly-detection-configuration/seasonality).
In the package's SQL (get_anomaly_scores_query) the value itself is part of average and deviation, a training set
without deviation has the score 0, and ``min_training_set_size`` is 7.
"""

from collections.abc import Sequence
from statistics import mean, stdev

ANOMALY_SENSITIVITY = 3
DAYS_BACK = 14
MIN_TRAINING_SET_SIZE = 7
_WEEK = 7


def is_anomaly(values: Sequence[float], number: int, *, by_day_of_week: bool) -> bool:
    """Return whether a value of a daily series is an anomaly."""
    step = _WEEK if by_day_of_week else 1
    first = max(number % step, number - (DAYS_BACK - 1) * step)
    training = values[first : number + 1 : step]
    if len(training) < MIN_TRAINING_SET_SIZE:
        return False
    deviation = stdev(training)
    return (
        bool(deviation) and abs(values[number] - mean(training)) > ANOMALY_SENSITIVITY * deviation
    )
