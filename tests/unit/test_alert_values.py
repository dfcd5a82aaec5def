"""Messages of alerts: units, formats, times, small charts, runbooks."""

import math
import struct
import zlib
from base64 import b64decode
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from analytics_worker.delivery.channels.card import card_of
from analytics_worker.delivery.channels.pagerduty import event_of
from analytics_worker.delivery.channels.slack_blocks import slack_message
from analytics_worker.delivery.channels.teams_card import teams_message
from analytics_worker.delivery.channels.telegram_text import telegram_text
from analytics_worker.delivery.message import Content, OutgoingMessage
from analytics_worker.presentation.bar_image import bar_image
from analytics_worker.presentation.sparkline import sparkline
from analytics_worker.settings import settings
from analytics_worker.timezones import time_text
from flows.alerts.notifications.rendering import render_notification
from flows.alerts.notifications.values import value_text
from flows.alerts.rules.validation import find_problems
from tests.support.alert_run import START, Run, exact, rule
from tests.support.attacks import attack
from tests.support.naughty_strings import NAUGHTY

RUN_URL = "http://127.0.0.1:4200/runs/flow-run/1"


@pytest.mark.parametrize(
    ("fields", "value", "text"),
    [
        ({}, 48250.5, "48,250.5"),
        ({}, 0.44, "0.44"),
        ({"format": "percent"}, 0.44, "44%"),
        ({"format": "percent", "decimals": 1}, 0.4432, "44.3%"),
        ({"unit": "%"}, 44, "44%"),
        ({"unit": "EUR"}, 12300, "€12,300"),
        ({"unit": "€"}, -12300.5, "−€12,300.50"),
        ({"unit": "CHF"}, 12300, "12,300 CHF"),
        ({"unit": "days"}, 1 / 3, "0.333 days"),
        ({"decimals": 0}, 12300.4, "12,300"),
        ({"format": "duration"}, 5400, "1h30m"),
        ({"format": "duration"}, -0.25, "−0.25s"),
        ({"format": "duration"}, 1e300, f"{1e300:g} s"),
        ({"unit": "EUR"}, math.inf, "inf"),
        ({"unit": "EUR"}, 1e300, "€1e+300"),
        ({"unit": "EUR"}, 5e-324, "€0"),
        ({"measure": "change_percent"}, -10, "−10%"),
    ],
)
def test_values_have_their_unit_and_format(fields, value, text):
    assert value_text(rule(**fields), value) == text


@pytest.mark.parametrize("decimals", [None, 0, 2])
def test_a_rounded_value_never_looks_like_a_bound_that_it_does_not_equal(decimals):
    of = rule(format="percent", operator="<", threshold=0.5, decimals=decimals)
    assert value_text(of, 0.499_96) == "49.996%"
    assert value_text(of, 0.5).startswith("50")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"unit": "EUR", "format": "percent"}, "unit"),
        ({"unit": "EUR", "measure": "change_percent"}, "unit"),
        ({"format": "duration", "measure": "change_percent"}, "format"),
        ({"runbook": "javascript:alert(1)"}, "runbook"),
        ({"runbook": "https://exa mple.com/<script>"}, None),
        ({"runbook": 'https://example.com/"onclick=x'}, "runbook"),
        ({"runbook": "file:///etc/passwd"}, "runbook"),
        ({"runbook": "Note: restart the job"}, None),
        ({"runbook": "https://wiki.example.com/r"}, None),
    ],
)
def test_contradictions_are_named(fields, field):
    assert [name for name, _ in find_problems(rule(**fields))] == ([field] if field else [])


def test_an_unknown_time_zone_is_refused_with_an_example():
    with pytest.raises(
        ValidationError, match="'Berlin' is not a valid time zone; expected an IANA"
    ):
        rule(timezone="Berlin")


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "2026-03-01 12:00:00 UTC"),
        ("Europe/Berlin", "2026-03-01 13:00:00 CET (Europe/Berlin)"),
        ("America/Sao_Paulo", "2026-03-01 09:00:00 UTC-03:00 (America/Sao_Paulo)"),
    ],
)
def test_times_name_their_zone(zone, text):
    assert time_text(START, zone) == text


def test_times_are_those_of_the_rule_or_else_of_the_setting(monkeypatch):
    monkeypatch.setenv("ALERT_TIMEZONE", "Asia/Tokyo")
    settings.cache_clear()
    assert "Since:     2026-03-01 21:00:00 JST (Asia/Tokyo)" in message(rule()).text
    assert "Since:     2026-03-01 13:00:00 CET" in message(rule(timezone="Europe/Paris")).text


def message(of: Any, value: float = 11, recent_values: Any = (), **options: Any) -> Content:
    run = Run(of)
    key = '["EMEA"]' if of.key_columns else ""
    run.evaluate({key: value})
    notification = replace(run.notification, recent_values={key: list(map(exact, recent_values))})
    return render_notification(of, notification, START, "uid", **options)


def test_a_message_shows_the_last_recent_values_in_text_and_as_a_picture():
    content = message(rule(unit="EUR"), recent_values=[1, None, 5, 11])
    line = "▂·▄█ lowest €1, highest €11 in 4 evaluations"
    assert f"Last:      {line}\n" in content.text
    assert {f.label: f.value for f in content.facts}["Last values"] == line
    (image,) = content.images
    assert f'src="cid:{image.name}"' in (content.html or "")
    assert png_colors(b64decode(image.data))
    assert content.json_body is not None
    assert content.json_body["worst"][0]["recent_values"] == [1, None, 5, 11]


def test_one_reading_is_no_chart():
    content = message(rule(), recent_values=[11])
    assert "Last:" not in content.text
    assert not content.images


def test_recent_values_stand_beside_each_key():
    of = rule(key_columns=["team"])
    run = Run(of)
    emea, apac = '["EMEA"]', '["APAC"]'
    run.evaluate({emea: 40, apac: 20})
    notification = replace(
        run.notification,
        recent_values={emea: [Decimal(5), Decimal(40)], apac: [Decimal(30), Decimal(20)]},
    )
    content = render_notification(of, notification, START, "uid")
    assert content.items == ("EMEA: 40 ▂█ (critical)", "APAC: 20 █▆ (critical)")


def png_colors(data: bytes) -> set[int]:
    """Return the palette indexes that a PNG uses."""
    assert data.startswith(b"\x89PNG")
    at = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[at - 4 : at])
    return set(zlib.decompress(data[at + 4 : at + 4 + length]))


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 2.0],
        [math.inf, -math.inf, 0.0],
        [1.7e308, -1.7e308, 5e-324],
        [None, None, 1.0],
        [0.0] * 50,
        [-5.0, -6.0],
        [1e15, 1e15 + 1],
    ],
)
@pytest.mark.parametrize("bound", [None, 0.5, -math.inf, 1e308])
def test_all_numbers_can_be_drawn(values, bound):
    assert len(sparkline(values)) == len(values)
    assert 2 in png_colors(bar_image(values, bound, "#c81e1e"))


def test_what_to_do_and_the_run_are_linked_in_every_channel():
    url = "https://wiki.example.com/runbooks/consent"
    content = message(rule(runbook=url, owner="ann@example.com"), run_url=RUN_URL)
    outgoing = OutgoingMessage("k", "x", content)
    card = card_of(content)
    for shown in (
        content.text,
        content.html,
        slack_message(content, card),
        teams_message(card),
        telegram_text(card),
        event_of(outgoing),
        content.json_body,
    ):
        assert url in str(shown)
        assert RUN_URL in str(shown)
        assert "ann@example.com" in str(shown)


def test_a_text_of_what_to_do_is_no_link():
    content = message(rule(runbook="Call the team.\nThen wait."), run_url="javascript:alert(1)")
    assert "What to do: Call the team.\nThen wait." in content.text
    assert content.links == ()
    assert "<a " not in (content.html or "")


@pytest.mark.parametrize(("fields", "value", "reason"), [
    ({"on_empty": "alert"}, None, "the value is NULL or NaN"),
])  # fmt: skip
def test_the_reason_stands_in_place_of_the_value(fields, value, reason):
    content = message(rule(**fields), value)
    assert f"Value:     {reason}\n" in content.text
    assert "Reason:" not in content.text
    assert f">{reason}</span>" in (content.html or "")


@attack(
    by="data",
    what="markup, mentions and control characters in unit, runbook and owner",
    answer="shown as text, escaped for each receiver",
)
@pytest.mark.parametrize("text", NAUGHTY.values(), ids=NAUGHTY.keys())  # fmt: skip
def test_hostile_texts_stay_text(text):
    clean = text.encode("utf-8", "replace").decode()
    of = rule(unit=clean[:20].translate(dict.fromkeys([*range(32), 127, 34])), runbook=clean)
    content = message(of, recent_values=[1, 2], run_url=clean)
    assert "<script" not in (content.html or "")
    assert "<img src=x" not in (content.html or "")
    card = card_of(content)
    assert len(telegram_text(card)) <= 4096
    assert slack_message(content, card)["blocks"]
    assert len(str(event_of(OutgoingMessage("k", "x", content)))) < 500_000


def test_old_values_have_a_time_in_the_zone_of_the_rule():
    of = rule(timezone="Europe/Berlin")
    run = Run(of)
    run.evaluate(11)
    notification = replace(run.notification, values_at=START - timedelta(minutes=10))
    content = render_notification(of, notification, START, "uid")
    assert "11 as of 2026-03-01 12:50:00 CET (Europe/Berlin)" in content.subject
