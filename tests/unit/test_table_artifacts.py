"""Tables of the Prefect UI, which renders every text of a cell as Markdown."""

from typing import Any

import pytest
from markdown_it import MarkdownIt
from prefect import artifacts

from analytics_worker.prefect_support.table_artifacts import create_table_artifact
from tests.support.attacks import attack


@attack(
    by="data",
    what="A key or an error with a tag, an entity, a link or Markdown, in a table of the Prefect UI",
    answer="The cell shows it unchanged: nothing disappears, and nothing is loaded or formatted",
)
@pytest.mark.parametrize(
    "text",
    ["<b>x</b>", "a &lt; b & c", "![i](http://x.example/y)", "*a* _b_ `c` ~~d~~ | e", "# a", "1. a",
     "12) a", "- a", "+ a", "===", "---", "2024. a", "  # a", "-7", "12.5", "stg_orders_2 <int4>", "<img src=x onerror=y>", "a\\*b"],
)  # fmt: skip
def test_a_cell_shows_its_text(text, monkeypatch):
    published: list[Any] = []
    monkeypatch.setattr(
        artifacts, "create_table_artifact", lambda rows, **_: published.extend(rows)
    )
    create_table_artifact([{"key": text, "rows": 3}], key="k", description="d")
    (row,) = published
    assert row["rows"] == 3
    inline = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(row["key"])
    assert [token.type for token in inline] == ["paragraph_open", "inline", "paragraph_close"]
    children = inline[1].children or []
    assert {child.type for child in children} <= {"text", "text_special"}
    assert "".join(child.content for child in children) == text.strip()
