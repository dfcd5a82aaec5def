"""What `analytics-worker channels` shows as the state of a channel."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics_worker.cli.channels import _state
from analytics_worker.delivery.overview import ChannelOverview

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
FAILED = {"last_failure": NOON, "last_error": "500"}


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "ready"),
        (FAILED, "last error: 500"),
        (FAILED | {"last_success": NOON - timedelta(minutes=1)}, "last error: 500"),
        (FAILED | {"last_success": LATER}, "ready"),
        (FAILED | {"last_success": LATER, "problem": "not configured"}, "not configured"),
        (FAILED | {"paused_until": LATER}, "paused until 2026-03-01 12:01: 500"),
    ],
)
def test_the_last_error_is_shown_until_a_message_is_sent(fields, state):
    assert _state(ChannelOverview("ops", **fields)) == state
