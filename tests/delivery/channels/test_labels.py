"""Values of a message with the same label, or a label that a service reserves, are all shown."""

from analytics_worker.delivery.message import Content, Fact, Tile
from tests.support.receivers.all_channels import Receivers

LABELS = Content(
    subject="s",
    text="the whole text",
    severity="critical",
    incident_key="k",
    incident_action="trigger",
    facts=tuple(
        Fact(label=label, value=value) for label, value in (("text", "a"), ("k", "b"), ("k", "c"))
    ),
    tiles=(Tile(label="k", value="d"),),
    items=("one",),
)


def test_values_with_the_same_or_a_reserved_label_are_all_shown(receivers: Receivers):
    receivers.send("pagerduty", LABELS)
    receivers.send("opsgenie", LABELS)
    shown = receivers.pagerduty.accepted[0]["payload"]["custom_details"]
    assert (shown["text"], shown["items"]) == ("the whole text", ["one"])
    assert [shown[name] for name in ("text (2)", "k", "k (2)", "k (3)")] == ["a", "b", "c", "d"]
    details = receivers.opsgenie.accepted[0]["details"]
    assert details == {"text": "a", "k": "b", "k (2)": "c", "k (3)": "d"}
