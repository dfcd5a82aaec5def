"""Show what a message looks like in Slack, in Teams and as an email.

    python -m tests.delivery.channels.preview FOLDER

The messages of tests/support/sample_messages.py go through the channels; what the receivers got is drawn
in the way of the service, wide and as on a phone. Writes FOLDER/*.html and, with a Chromium, *.png.
"""

import html
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.receivers.all_channels import Receivers, running_receivers
from tests.support.sample_messages import MESSAGES

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = {"wide": 900, "phone": 500}  # a headless window is no narrower than 500
PHONE = 375

Json = dict[str, Any]

SLACK_STYLE = """
.slack{font:15px/1.46 Lato,'Noto Sans',Arial,sans-serif;color:#1d1c1d;padding:10px 0;border-bottom:1px solid #ddd}
.slack h2{font-size:18px;margin:4px 0 8px}.bar{border-left:4px solid;border-radius:4px;padding:2px 0 2px 12px}
.context{font-size:12px;color:#616061;margin:4px 0}.fields{display:grid;grid-template-columns:1fr 1fr;gap:8px 16px;margin:8px 0}
.section{margin:8px 0}.slack div div{white-space:pre-wrap}.slack .fields,.slack .actions{white-space:normal}
.actions a{display:inline-block;border:1px solid #bbb;border-radius:4px;padding:5px 12px;margin:4px 8px 4px 0;font-weight:bold;font-size:13px;color:#1d1c1d;text-decoration:none}
"""
TEAMS_STYLE = """
.teams{font:14px/1.4 'Segoe UI','Noto Sans',Arial,sans-serif;color:#242424;border:1px solid #d1d1d1;border-radius:6px;margin:12px 0;padding:12px 16px;background:#fff;overflow:hidden}
.attention{background:#fdf3f4;color:#b10e1c}.warning{background:#fdf6f3;color:#8a3707}.good{background:#f1faf1;color:#0e700e}
.accent{background:#ebf3fc;color:#0f548c}.emphasis{background:#f5f5f5}.bleed{margin:-12px -16px 8px;padding:10px 16px}
.columns{display:flex;gap:8px}.columns>div{min-width:0;overflow-wrap:anywhere}.Large{font-size:18px}.Small{font-size:12px}.Bolder{font-weight:600}.subtle{color:#616161}
.block{margin-top:8px}.spaceNone{margin-top:0}.spaceSmall{margin-top:4px}
.actions a{display:inline-block;border:1px solid #d1d1d1;border-radius:4px;padding:6px 12px;margin:12px 8px 0 0;font-weight:600;color:#242424;text-decoration:none}
"""
PAGE = "<!doctype html><meta charset=utf-8><style>body{{margin:12px;width:{width}px;background:{background}}}{style}</style>{body}"


def slack_html(message: Json) -> str:
    """Draw the blocks of a Slack message."""
    header = "".join(map(_slack_block, message["blocks"]))
    bars = "".join(
        f'<div class=bar style="border-color:{bar["color"]}">{"".join(map(_slack_block, bar["blocks"]))}</div>'
        for bar in message.get("attachments", [])
    )
    return f"<div class=slack>{header}{bars}</div>"


def _slack_block(block: Json) -> str:
    match block["type"]:
        case "header":
            return f"<h2>{_slack_text(block['text'])}</h2>"
        case "context":
            return f"<div class=context>{''.join(map(_slack_text, block['elements']))}</div>"
        case "actions":
            links = (f"<a>{_slack_text(button['text'])}</a>" for button in block["elements"])
            return f"<div class=actions>{''.join(links)}</div>"
        case _ if "fields" in block:
            cells = (f"<div>{_slack_text(field)}</div>" for field in block["fields"])
            return f"<div class=fields>{''.join(cells)}</div>"
        case _:
            return f"<div class=section>{_slack_text(block['text'])}</div>"


def _slack_text(text: Json) -> str:
    """Show the text; &lt; stays what it is, because HTML has the same escapes."""
    if text["type"] == "plain_text":
        return text["text"]
    label, _, value = text["text"].partition("\n")
    return f"<b>{label.strip('*')}</b>\n{value}"


def teams_html(card: Json) -> str:
    """Draw an Adaptive Card."""
    actions = "".join(f"<a>{html.escape(a['title'])}</a>" for a in card.get("actions", []))
    body = "".join(map(_teams_element, card["body"]))
    return f"<div class=teams>{body}<div class=actions>{actions}</div></div>"


def _teams_element(element: Json) -> str:
    space = f"block space{element.get('spacing', 'Default')}"
    match element["type"]:
        case "Container":
            items = "".join(map(_teams_element, element["items"]))
            return f'<div class="{element["style"]} bleed">{items}</div>'
        case "ColumnSet":
            columns = "".join(map(_teams_element, element["columns"]))
            return f'<div class="columns {space}">{columns}</div>'
        case "Column":
            items = "".join(map(_teams_element, element["items"]))
            return f'<div style="flex:{element["width"]}">{items}</div>'
        case "RichTextBlock":
            return f'<div class="{space}">{"".join(map(_teams_element, element["inlines"]))}</div>'
        case _:
            looks = f"{element.get('size', '')} {element.get('weight', '')}"
            subtle = "subtle" if element.get("isSubtle") else ""
            return f'<span class="{looks} {subtle}">{html.escape(element["text"])}</span>'


def pages(receivers: Receivers) -> dict[str, tuple[str, str, str]]:
    """Return style, background and body of each page, after sending all messages."""
    for name in ("slack", "teams", "email"):
        for key, content in MESSAGES.items():
            assert (
                receivers.send(name, content, f"preview.{key.replace(' ', '-')}").status == "sent"
            )
    mails = [received.mail for received in receivers.email.messages]
    return {
        "slack": (SLACK_STYLE, "#fff", "".join(map(slack_html, receivers.slack.accepted))),
        "teams": (TEAMS_STYLE, "#f0f0f0", "".join(map(teams_html, receivers.teams.accepted))),
        "email": ("pre{white-space:pre-wrap}", "#fff", "".join(map(_email_html, mails))),
    }


def _email_html(mail: Any) -> str:
    heads = "".join(
        f"<div>{name}: {html.escape(str(mail[name] or ''))}</div>"
        for name in ("From", "To", "Cc", "Subject")
    )
    page = mail.get_body(("html",))
    body = (
        page.get_content() if page else f"<pre>{html.escape(mail.get_body().get_content())}</pre>"
    )
    return f"<div style='border:1px solid #ccc;margin:8px;padding:8px'>{heads}<hr>{body}</div>"


def main(folder: Path) -> None:
    """Write the pages and their pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch, running_receivers(patch) as receivers:
        drawn = pages(receivers)
    for name, (style, background, body) in drawn.items():
        for device, window in WIDTHS.items():
            width = PHONE if device == "phone" else window - 40
            page = PAGE.format(width=width, background=background, style=style, body=body)
            source = folder / f"{name}-{device}.html"
            source.write_text(page)
            screenshot(source, source.with_suffix(".png"), window)


def screenshot(source: Path, target: Path, width: int, height: int = 2400) -> None:
    """Take a picture, if there is a browser."""
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if browser is None:
        return
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    size = f"--window-size={width},{height}"
    command = [browser, *options, size, f"--screenshot={target}", source.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
