"""Hooks of mkdocs: add the pages of the project's root to the site and adapt their links.

The links of the pages are those of the repository: README.md links to docs/alerts.md, docs/alerts.md to
../definitions/alerts.yml. On the site both folders are one, and links to files that are not pages become text.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
ROOT_PAGES = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
_IMAGE = re.compile(r'(src="|\]\()docs/')


def on_config(config: Any) -> Any:
    """List every decision in the navigation, by its title."""
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    pages = [{_title(page): f"decisions/{page.name}"} for page in decisions]
    config.nav = [*config.nav, {"Decisions": pages}]
    return config


def _title(page: Path) -> str:
    return page.read_text().splitlines()[0].removeprefix("# ")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the root."""
    for name in ROOT_PAGES:
        if (ROOT / name).exists():
            text = _IMAGE.sub(r"\1", (ROOT / name).read_text())
            files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Adapt the page's links to the site; a link to any other file becomes its text."""
    folder = Path(page.file.src_uri).parent
    is_root = page.file.src_uri in ROOT_PAGES
    return _LINK.sub(lambda link: _on_site(link, folder, is_root=is_root), markdown)


def _on_site(link: re.Match[str], folder: Path, *, is_root: bool) -> str:
    label, target = link[1], link[2]
    path, _, anchor = target.partition("#")
    if not path or "://" in path or path.startswith("mailto:"):
        return link[0]
    start = ROOT if is_root else ROOT / "docs" / folder
    file = (start / path).resolve()
    site = _site_path(file)
    if site is None:
        return label
    prefix = "../" * len(folder.parts)
    return f"[{label}]({prefix}{site}{'#' + anchor if anchor else ''})"


def _site_path(file: Path) -> str | None:
    """Return the path of a page on the site; None if the file is not a page."""
    docs = ROOT / "docs"
    if file.parent == ROOT and file.name in ROOT_PAGES:
        return file.name
    if file.is_relative_to(docs) and file.is_file():
        return file.relative_to(docs).as_posix()
    return None
