"""Pages: every value is escaped, charts have alternative text, and rendering loads nothing."""

import re
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pypdf
import pytest

from flows.reports.formats import (
    Chart,
    Column,
    ColumnKind,
    Document,
    FetchedRows,
    File,
    FormatError,
    Html,
    Series,
    Tile,
    chart_from_rows,
    render_html,
    render_pdf,
)
from flows.reports.formats.pages.pdf_process import render_pngs
from tests.support.attacks import attack

INJECTION = "<script>alert(1)</script>{{ 7 * 7 }}"
ROWS = FetchedRows(
    "Teams",
    (Column("team", ColumnKind.TEXT), Column("deals_won", ColumnKind.INTEGER)),
    (("A", "1200"), (INJECTION, None)),
)
CHART = Chart(
    "Won by month",
    ["Jan", "Feb"],
    [Series("won", [1.0, 2.0]), Series("lost", [3.0, None])],
    "line",
    "EUR",
)


def page(**fields) -> Html:
    return render_html(Document("Sales", "2026-11-25 06:00 UTC", **fields))


def pdf_text(path: Path) -> str:
    return "\n".join(each.extract_text() for each in pypdf.PdfReader(path).pages)


def test_a_long_period_has_a_line_of_its_own_without_a_dot_at_its_end():
    short = page(period="24 November 2026", data_as_of_label="Data as of").text
    long = page(period="29 November 2026, 16:47 – 30 November 2026, 16:47").text
    assert "24 November 2026</strong><span" in short
    assert '16:47</strong><br class="dot"><span' in long


@attack(
    by="data",
    what="markup and template syntax in titles, cells, notes and numbers of a report",
    answer="escaped in page and email",
)
def test_page_and_email_have_every_part_escaped():
    html = page(
        period="November 2026",
        description=INJECTION,
        tiles=[Tile(INJECTION, Decimal("1250.00"), 1000, "EUR", 2)],
        charts=[CHART],
        tables=[ROWS],
        notes=[INJECTION],
        warnings=["The data may be old."],
        owner="o@example.com",
    )
    for text in (html.text, html.email):
        assert "<script" not in text
        assert "{{ 7 * 7 }}" in text
        for words in ("November 2026", "2026-11-25 06:00 UTC", "1,250.00", "The data may be old.",
                      "Deals won", ">1200<", "o@example.com", "viewport", "before: 1,000.00"):  # fmt: skip
            assert words in text
    assert "▲ +25.0%" in html.email


def test_charts_are_images_with_alternative_text():
    html = page(charts=[CHART])
    (image,) = html.images
    assert f'src="cid:{image.name}"' in html.email
    assert image.data.startswith(b"\x89PNG")
    assert len(image.data) < 40_000
    assert "data:image/svg+xml;base64," in html.text
    (alt_text,) = re.findall(r'alt="([^"]*)"', html.email)
    assert alt_text == (
        "Line chart: Won by month. won: lowest 1\u00a0EUR (Jan), highest 2\u00a0EUR (Feb), last"
        " 2\u00a0EUR (Feb). lost: lowest 3\u00a0EUR (Jan), highest 3\u00a0EUR (Jan), last 3\u00a0EUR (Jan)."
    )


def test_truncation_is_noted():
    long = FetchedRows("Long", (Column("t", ColumnKind.TEXT),), (("x" * 500,),), truncated=True)
    wide = Chart("Many", [str(n) for n in range(100)], [Series("n", [1.0] * 100)])
    html = page(tables=[long], charts=[wide])
    assert "The first 1 rows; there are more." in html.text
    assert "Texts of more than 400 characters are shortened" in html.text
    assert "Many: the chart shows the last 60 of 100 points." in html.text


def test_missing_values_are_shown():
    empty = Chart("Empty", [], [])
    html = page(tiles=[Tile("T", None)], tables=[replace(ROWS, rows=())], charts=[empty])
    assert "No rows in this period." in html.text
    assert "Bar chart: Empty" in html.text
    assert ">–<" in html.text


def test_chart_without_numbers_is_refused():
    with pytest.raises(FormatError, match="labels in its first column and numbers in others"):
        chart_from_rows(
            replace(ROWS, columns=(Column("a", ColumnKind.TEXT), Column("b", ColumnKind.TEXT)))
        )


def test_files_that_are_not_attached_are_links():
    html = page(
        files=[File("a.csv", 20_000_000, 5, "https://x.example/a.csv"), File("b.csv", 10, 1)]
    )
    assert '<a href="https://x.example/a.csv"' in html.email
    assert "19.1 MB" in html.email
    assert "attached" in html.email


def test_pdf_has_the_text_of_the_page(tmp_path):
    html = page(period="November 2026", tables=[ROWS], charts=[CHART], notes=["A note."])
    render_pdf(html, tmp_path / "f.pdf")
    text = pdf_text(tmp_path / "f.pdf")
    for words in ("Sales", "November 2026", "1200", "A note.", "Page 1 of"):
        assert words in text
    assert [path.name for path in tmp_path.iterdir()] == ["f.pdf"]


@pytest.mark.parametrize("end", ["\n", "\r", "\f", "\r\n", '"', "\\", "</style>"])
@attack(
    by="data",
    what="CSS in the title of a report, which its key is part of: line ends, quotes, a closing tag",
    answer="one CSS string in which all of it is escaped",
)
def test_title_can_not_add_styles(end):
    title = f"A{end}}} body {{ background: url(http://evil.example/) }}"
    html = render_html(Document(title, "2026-11-25 06:00 UTC"))
    style = html.text.split("<style>")[1].split("</style>")[0]
    (content,) = re.findall(r"@bottom-left \{ content: (.*?); font-family", style, re.DOTALL)
    assert re.fullmatch(r'"([\w ]|\\[0-9a-f]+ )*"', content)
    shown = re.sub(r"\\([0-9a-f]+) ", lambda code: chr(int(code[1], 16)), content[1:-1])
    assert shown == " ".join(title.split())


@pytest.mark.parametrize("title", ["Müller & Söhne", 'a "b" \\c <d> 100% {e} 東京'])
def test_footer_of_a_pdf_is_the_title(title, tmp_path):
    render_pdf(render_html(Document(title, "now")), tmp_path / "f.pdf")
    footer = pdf_text(tmp_path / "f.pdf").split("Generated by the analytics worker")[1]
    assert footer.count(title) == 1
    assert "&amp;" not in footer


@attack(
    by="data",
    what="a chart that refers to a file of the host: image, @import",
    answer="the same image as without it",
)
def test_images_load_nothing(tmp_path):
    (tmp_path / "secret.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
    )
    link = f"file://{tmp_path}/secret.svg"
    empty = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{}</svg>'
    hostile = f'<image href="{link}" width="9" height="9"/><style>@import "{link}";</style>'
    (plain, attacked) = render_pngs([(empty.format(inside), 9, 9) for inside in ("", hostile)])
    assert attacked == plain


@attack(
    by="data",
    what="a page for PDF that refers to http:// and file:// resources: link, img, object, url(), @import",
    answer="nothing is requested, nothing of the host is in the PDF",
)
def test_pdf_loads_nothing(tmp_path):
    requests: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server's name
            requests.append(self.path)
            self.send_error(404)

    server = HTTPServer(("127.0.0.1", 0), Server)
    Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "secret").write_text("a secret of this host")
    base = f"http://127.0.0.1:{server.server_port}"
    text = (
        f'<link rel="stylesheet" href="{base}/a.css"><img src="{base}/b.png"><p>Words</p>'
        f'<style>body {{ background: url("{base}/c.png") }} @import "{base}/d.css";</style>'
        f'<object data="file://{tmp_path}/secret"></object><img src="file://{tmp_path}/secret">'
    )
    render_pdf(Html("T", text, "", ()), tmp_path / "f.pdf")
    server.shutdown()
    server.server_close()
    assert requests == []
    assert "Words" in pdf_text(tmp_path / "f.pdf")
    assert "secret" not in pdf_text(tmp_path / "f.pdf")


@attack(
    by="data",
    what="a page for PDF of 300,000 rows",
    answer="FormatError: needs more than 256 MB; no file is left",
)
def test_pdf_beyond_the_memory_limit_is_refused_and_leaves_nothing(tmp_path):
    huge = Html("T", f"<table>{'<tr><td>x</td></tr>' * 300_000}</table>", "", ())
    with pytest.raises(FormatError, match="needs more than 256 MB; show fewer rows"):
        render_pdf(huge, tmp_path / "f.pdf", memory_limit_bytes=256 << 20)
    assert list(tmp_path.iterdir()) == []


@attack(
    by="data",
    what="a page for PDF that takes minutes to render",
    answer="FormatError: took longer than the limit",
)
def test_pdf_beyond_the_time_limit_is_refused(tmp_path):
    huge = Html("T", f"<table>{'<tr><td>x</td></tr>' * 300_000}</table>", "", ())
    with pytest.raises(FormatError, match="took longer than 1 s; show fewer rows"):
        render_pdf(huge, tmp_path / "f.pdf", timeout_seconds=1)
    assert list(tmp_path.iterdir()) == []
