"""Escape texts in the XML of a workbook.

Reads nothing, writes nothing.
"""

import re
from xml.sax.saxutils import escape

from analytics_worker.text import printable

CONTROLS = re.compile("[\x00-\x1f\ufffe\uffff]")


def escape_text(text: str) -> str:
    """Return the text escaped, without characters that XML can't hold or that reverse what is beside them."""
    return escape(CONTROLS.sub(" ", printable(text)))
