"""Draw messages as Slack and Teams show them, from what their channels send.

Reads nothing, writes nothing. The pages are drawings: neither service has a page for a message without an
account.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from analytics_worker.delivery.channels.card import card_of
from analytics_worker.delivery.channels.slack_blocks import slack_message
from analytics_worker.delivery.channels.teams_card import teams_message
from analytics_worker.delivery.message import Content

Json = dict[str, Any]

_PAGE = """<!doctype html><meta charset="utf-8"><style>
body{{margin:0;padding:16px;background:{background};font:15px/1.45 Lato,'Segoe UI',Arial,sans-serif;color:#1d1c1d}}
.message{{margin:0 0 18px;max-width:600px}} .bar{{border-left:4px solid;padding:2px 0 2px 12px;border-radius:3px}}
h2{{font-size:18px;margin:0 0 6px}} p{{margin:6px 0;white-space:pre-line;overflow-wrap:anywhere}}
.small{{color:#616061;font-size:13px}} .fields{{display:grid;grid-template-columns:1fr 1fr;gap:6px 16px}}
.button{{display:inline-block;border:1px solid #c8c8c8;border-radius:4px;padding:4px 12px;margin:6px 8px 0 0;
font-weight:bold;background:#fff}} .card{{background:#fff;border:1px solid #e1e1e1;border-radius:6px;padding:0 16px 14px;overflow:hidden}}
.attention{{background:#f9e3e3}} .warning{{background:#fbf0db}} .good{{background:#e3f3e6}} .accent,.emphasis{{background:#eef2f7}}
.container{{margin:0 -16px 8px;padding:10px 16px}} .columns{{display:flex;gap:8px}} .Large{{font-size:18px}} .Small{{font-size:12px}}
.Bolder{{font-weight:bold}} .subtle{{color:#616161}}
</style><body>{body}</body>"""


def slack_page(messages: Sequence[Content]) -> str:
    """Return a page with messages as Slack shows them."""
    bodies = (slack_message(each, card_of(each)) for each in messages)
    return _page("#ffffff", (_slack(body) for body in bodies))


def teams_page(messages: Sequence[Content]) -> str:
    """Return a page with messages as Teams shows them."""
    cards = (teams_message(card_of(each))["attachments"][0]["content"] for each in messages)
    return _page("#f5f5f5", (_teams(card) for card in cards))


def _page(background: str, messages: Iterable[str]) -> str:
    body = "".join(f'<div class="message">{each}</div>' for each in messages)
    return _PAGE.format(background=background, body=body)


def _slack(body: Json) -> str:
    details = "".join(
        f'<div class="bar" style="border-color:{escape(each["color"])}">{_blocks(each["blocks"])}</div>'
        for each in body.get("attachments", [])
    )
    return _blocks(body["blocks"]) + details


def _blocks(blocks: Sequence[Json]) -> str:
    return "".join(map(_block, blocks))


def _block(block: Json) -> str:
    match block["type"]:
        case "header":
            return f"<h2>{block['text']['text']}</h2>"
        case "context":
            return "".join(f'<p class="small">{each["text"]}</p>' for each in block["elements"])
        case "actions":
            texts = (each["text"]["text"] for each in block["elements"])
            return "".join(f'<span class="button">{text}</span>' for text in texts)
        case _:
            fields = "".join(f"<p>{_slack_text(each)}</p>" for each in block.get("fields", []))
            text = f"<p>{_slack_text(block['text'])}</p>" if "text" in block else ""
            return text + (f'<div class="fields">{fields}</div>' if fields else "")


def _slack_text(text: Json) -> str:
    """Return a text, which is escaped already, with its label in bold."""
    label, _, value = text["text"].partition("\n")
    if text["type"] == "mrkdwn" and label.startswith("*"):
        return f"<b>{label.strip('*')}</b>\n{value}"
    return text["text"]


def _teams(card: Json) -> str:
    buttons = "".join(
        f'<span class="button">{escape(each["title"])}</span>' for each in card.get("actions", [])
    )
    return f'<div class="card">{"".join(map(_element, card["body"]))}{buttons}</div>'


def _element(element: Json) -> str:
    match element["type"]:
        case "Container":
            inner = "".join(map(_element, element["items"]))
            return f'<div class="container {element["style"]}">{inner}</div>'
        case "ColumnSet":
            return f'<div class="columns">{"".join(map(_column, element["columns"]))}</div>'
        case _:
            return f"<p>{''.join(map(_run, element.get('inlines', [])))}</p>"


def _column(column: Json) -> str:
    inner = "".join(map(_element, column["items"]))
    return f'<div style="flex:{column["width"]}">{inner}</div>'


def _run(run: Json) -> str:
    classes = (
        f"{run.get('size', '')} {run.get('weight', '')} {'subtle' if run.get('isSubtle') else ''}"
    )
    return f'<span class="{classes}">{escape(run["text"])}</span>'
