"""Fourteen nights of a shop in Berlin: what happens to its data, and every message that follows.

Each night is a calendar day from midnight on. Its events replace what the usual day does at that time. Before
that time, and between two events, nothing runs. The messages are complete: what is not listed must not arrive.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

ANN, BOB, CARL = "ann@example.com", "bob@example.com", "carl@example.com"
CEO, CFO = "ceo@example.com", "cfo@example.com"
OLGA, PAUL, SHIFT = "olga@example.com", "paul@example.com", "shift@example.com"
OPS = "webhook"
"""The channel of what has no owner."""

USUAL: Mapping[str, Sequence[str]] = {
    "01:10": ("load orders", "load payments", "catalog"),
    "02:00": ("build",),
    "07:01": ("watch",),
    "20:05": ("watch",),
}
"""``catalog`` measures what changed; ``build`` is dbt and the refresh of views; ``watch`` is all that runs every few
minutes: catalog, rules, due reports, and the monitoring of incidents and promises."""


class Notice(NamedTuple):
    """A message: when it arrives, to whom, its subject, of which ``…`` is any end, and words that its text has."""

    at: str
    to: str
    subject: str
    words: Sequence[str] = ()


class Night(NamedTuple):
    """A day, what happens on it, and the messages of it."""

    day: str
    what: str
    events: Mapping[str, Sequence[str]]
    notices: Sequence[Notice]


def _yesterday(day: str) -> str:
    at = date.fromisoformat(day) - timedelta(days=1)
    return f"{at:%A}, {at.day} {at:%B %Y}"


def _sales(day: str, *words: str, at: str = "07:01") -> Notice:
    return Notice(at, CEO, f"Umsatz {{eur}} 100% – {_yesterday(day)}", words)


def _orders(day: str, *words: str) -> Notice:
    return Notice("07:01", CFO, f"Bestellungen – {_yesterday(day)}", words)


def _reports(day: str, *words: str) -> list[Notice]:
    return [_sales(day, *words), _orders(day, *words)]


def _quiet(day: str, what: str, events: Mapping[str, Sequence[str]] | None = None) -> Night:
    """Return a night whose only messages are the two daily reports."""
    return Night(day, what, events or {}, _reports(day))


NIGHTS = [
    _quiet("2026-10-19", "nothing happens"),
    Night(
        "2026-10-20",
        "model margins fails, its tests are skipped",
        {"01:50": ("a rate becomes 0",)},
        [
            Notice("02:00", ANN, "[critical] dbt model margins", ["division by zero"]),
            *_reports("2026-10-20"),
        ],
    ),
    Night(
        "2026-10-21",
        "margins and codes fail; the process that notifies Bob is killed; later he acknowledges the incident",
        {
            "01:50": ("a code is no number",),
            "02:00": ("dbt", "monitoring is killed while it notifies Bob"),
            "09:00": ("Bob acknowledges",),
        },
        [
            Notice("07:01", BOB, "[critical] dbt model codes", ["invalid input syntax"]),
            *_reports("2026-10-21"),
        ],
    ),
    Night(
        "2026-10-22",
        "only codes fails; the app loses visits",
        {"01:50": ("the rate is right again",), "19:00": ("the app loses its visits",)},
        [
            Notice("02:00", ANN, "[resolved] dbt model margins"),
            *_reports("2026-10-22"),
            Notice(
                "20:05", SHIFT, "[WARNING] visits: 43 (expected 171 to 271 for Thursdays at 20:00)"
            ),
        ],
    ),
    Night(
        "2026-10-23",
        "codes works again; a test warns",
        {"01:50": ("the code is removed", "a customer has no email")},
        [
            Notice("02:00", BOB, "[resolved] dbt model codes"),
            Notice("02:00", OPS, "[warning] dbt test customers_have_an_email"),
            *_reports("2026-10-23"),
            Notice("20:05", SHIFT, "[RESOLVED] visits: resolved after 1d…"),
        ],
    ),
    Night(
        "2026-10-24",
        "the warning ends; an order of a day that was reported is corrected",
        {
            "01:50": ("the customer has an email",),
            "11:00": ("an order of Thursday is corrected", "build"),
            "11:05": ("watch",),
        },
        [
            Notice("02:00", OPS, "[resolved] dbt test customers_have_an_email"),
            *_reports("2026-10-24"),
            Notice(
                "11:05",
                OLGA,
                "Restated: Umsatz {eur} 100% (Thursday, 22 October 2026)",
                [f"to {CEO}"],
            ),
            Notice(
                "11:05", PAUL, "Restated: Bestellungen (Thursday, 22 October 2026)", [f"to {CFO}"]
            ),
        ],
    ),
    Night(
        "2026-10-25",
        "clocks are turned back, the night has 25 hours; the reports show what was corrected",
        {"02:30": ("watch",), "02:30b": ("watch",)},
        _reports("2026-10-25", "Restated since it was sent", "Thursday, 22 October 2026"),
    ),
    _quiet("2026-10-26", "the reports are of the day of 25 hours"),
    Night(
        "2026-10-27",
        "the load of orders stops at noon and is completed in the morning",
        {
            "01:10": ("load orders until noon", "load payments", "catalog"),
            "07:26": ("watch",),
            "07:40": ("watch",),
            "08:45": ("load the orders after noon", "build"),
            "08:55": ("watch",),
        },
        [
            Notice(
                "07:01",
                OLGA,
                "Report held: Umsatz {eur} 100% (2026-10-26)",
                ["complete only through"],
            ),
            _orders("2026-10-27", "incomplete: data until 11:"),
            Notice("07:26", OLGA, "[warning] promise of report sales", ["it is held"]),
            Notice("07:40", OLGA, "[now critical] promise of report sales"),
            _sales("2026-10-27", "Late: it was held", at="08:55"),
            Notice("08:55", OLGA, "[resolved] promise of report sales"),
            Notice(
                "08:55",
                PAUL,
                "Restated: Bestellungen (Monday, 26 October 2026)",
                ["the period was not complete when it was sent"],
            ),
        ],
    ),
    Night(
        "2026-10-28",
        "a view fails, and with it the one below; then a column that a model, a rule and a report read is dropped",
        {
            "01:50": ("a payment has the rate 0",),
            "08:00": ("the payment has a rate", "refresh"),
            "10:00": ("the column is dropped",),
            "10:03": ("watch",),
            "14:00": ("the column is added again",),
            "14:03": ("watch",),
        },
        [
            Notice(
                "02:00",
                OPS,
                "[critical] refresh of analytics.Оплата {d} 100%",
                ["division by zero", "Оплата {w}"],
            ),
            _sales("2026-10-28"),
            _orders("2026-10-28", "Restated since it was sent", "Monday, 26 October 2026"),
            Notice("08:00", OPS, "[resolved] refresh of analytics.Оплата {d} 100%"),
            Notice(
                "10:03",
                OPS,
                "[critical] columns of raw.Платежи",
                ["dbt model analytics.notes", "report notes", "rule payments with notes"],
            ),
            Notice("14:03", OPS, "[resolved] columns of raw.Платежи"),
        ],
    ),
    Night(
        "2026-10-29",
        "a table is dropped that five rules read; a contract is broken",
        {
            "10:00": ("the inventory is dropped",),
            "10:03": ("watch",),
            "14:00": ("the inventory is there again",),
            "14:03": ("watch",),
            "16:00": ("a customer is there twice",),
            "16:03": ("watch",),
            "17:00": ("the double is removed",),
            "17:03": ("watch",),
        },
        [
            *_reports("2026-10-29"),
            Notice(
                "10:03", OPS, "[critical] raw.inventory", [f"rule stock {n}" for n in range(1, 6)]
            ),
            Notice("14:03", OPS, "[resolved] raw.inventory"),
            Notice("16:03", CARL, "[critical] contract of raw.Kunden & Co", ["id"]),
            Notice("17:03", CARL, "[resolved] contract of raw.Kunden & Co"),
        ],
    ),
    _quiet("2026-10-30", "a holiday: no orders, no payments, no visits"),
    _quiet("2026-10-31", "the loads have no rows of the holiday"),
    Night(
        "2026-11-01",
        "payments are too old for dbt, and come minutes before they are promised: one incident",
        {
            "01:10": ("load orders", "catalog"),
            "07:20": ("freshness",),
            "07:26": ("watch",),
            "07:28": ("load payments", "catalog", "freshness", "watch"),
        },
        [
            *_reports("2026-11-01"),
            Notice(
                "07:26",
                OPS,
                "[warning] dbt source raw.payments",
                ['promise of raw."Платежи"', "waits for data of raw.Платежи"],
            ),
            Notice("07:28", OPS, "[resolved] dbt source raw.payments"),
        ],
    ),
]
