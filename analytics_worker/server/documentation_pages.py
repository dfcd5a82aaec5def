"""Show the documentation of this checkout beside the UI, whose texts link to it: ``/documentation/runbook.md``.

Reads docs/; writes nothing. Like the files of the UI, the pages need no login: they are those of the project, without data
of its users.
"""

import re
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path

from fastapi import FastAPI
from markdown_it import MarkdownIt
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from analytics_worker.settings import project_root

PATH = "/documentation"
PICTURES = frozenset({".png", ".svg"})
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; display: block; overflow-x: auto }}
th, td {{ border: 1px solid #8888; padding: .3rem .5rem; text-align: left; vertical-align: top }}
pre {{ overflow-x: auto }} img {{ max-width: 100% }} :target {{ background: #ff05 }}
</style></head><body>
{body}</body></html>
"""


def show_documentation(app: FastAPI) -> None:
    """Answer the paths of the documentation before the UI does, which takes all that nothing else takes."""
    app.router.routes.insert(0, Route(f"{PATH}/{{name:path}}", _answer))


def _answer(request: Request) -> Response:
    folder = (project_root() / "docs").resolve()
    try:
        file = (folder / request.path_params["name"]).resolve()
        is_served = file.is_relative_to(folder) and file.is_file()
    except (OSError, ValueError):  # a name that is too long, or has a NUL
        is_served, file = False, folder
    if is_served and file.suffix == ".md":
        return HTMLResponse(page(file), headers=HEADERS)
    if is_served and file.suffix in PICTURES:
        return FileResponse(file, headers=HEADERS)
    return PlainTextResponse(
        "no such page; expected one of docs/, such as runbook.md\n", HTTPStatus.NOT_FOUND
    )


def page(file: Path) -> str:
    """Return a file in Markdown as HTML, whose headings have the ids that links name."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(file.read_text())
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", anchor(content.content))
    return PAGE.format(title=file.stem, body=markdown.renderer.render(tokens, markdown.options, {}))


def anchor(heading: str) -> str:
    """Return the id of a heading, as code browsers make them."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
