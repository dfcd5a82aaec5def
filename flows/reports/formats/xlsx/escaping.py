"""Escape texts in the XML of a workbook.

Reads nothing, writes nothing.
"""

import re
from xml.sax.saxutils import escape

CONTROLS = re.compile("[\x00-\x1f\ufffe\uffff]")


def escape_text(text: str) -> str:
    """Return the text escaped, without characters that XML can't hold."""
    return escape(CONTROLS.sub(" ", text))
