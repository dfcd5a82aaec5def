"""Write fields of an email and read them again, with each Python. Only the standard library.

Reads a JSON list of texts from standard input; writes one JSON object per text: the bytes, and what the
two parsers of this Python make of them.
"""

import json
import sys
from email import message_from_bytes, policy
from email.header import decode_header, make_header

from analytics_worker.transport.email_check import check_headers
from analytics_worker.transport.email_headers import address_field, disposition_field, text_field

NAMES = ["Subject", "Comments", "From", "Content-Disposition"]


def round_trip(text: str) -> dict[str, object]:
    """What is written, and what is read."""
    headers = (
        text_field("Subject", text)
        + text_field("Comments", text)
        + address_field("From", [(text, "a@b.example")])
        + disposition_field("attachment", text)
    )
    check_headers(headers.encode(), NAMES)
    content = f"{headers}\r\nbody".encode()
    modern = message_from_bytes(content, policy=policy.default)
    old = message_from_bytes(content, policy=policy.compat32)
    (sender,) = modern["From"].addresses
    return {
        "head": headers,
        "names": [modern.keys(), old.keys()],
        "body": [modern.get_payload(), old.get_payload()],
        "subject": [str(modern["Subject"]), str(modern["Comments"]), _decoded(old["Subject"])],
        "sender": [sender.display_name, sender.addr_spec],
        "file": [modern.get_filename(), old.get_filename()],
    }


def _decoded(value: str) -> str:
    return str(make_header(decode_header(value.replace("\r\n", "").replace("\n", ""))))


if __name__ == "__main__":
    sys.stdout.write(json.dumps([round_trip(text) for text in json.load(sys.stdin)]))
