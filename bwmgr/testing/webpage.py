"""A served page as a test reads it: tables by their ids, rows as what stands in their cells.

Owns parsing for tests only; tags and attributes that no test asks for are not kept.
"""

from __future__ import annotations

from html.parser import HTMLParser

Rows = list[list[str]]


class WebPage(HTMLParser):
    """`tables`: id -> rows of cell texts, headings left out. `links`: every address. `text`: all of it, blanks folded."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, Rows] = {}
        self.links: list[str] = []
        self.by_id: dict[str, str] = {}
        self._said: list[str] = []
        self._table = ""
        self._cell = False
        self._open: list[tuple[str, str]] = []
        self.feed(html)
        self.text = " ".join(" ".join(self._said).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: content or "" for name, content in attrs}
        if tag == "table":
            self._table = named.get("id", "")
            self.tables[self._table] = []
        elif tag == "tr" and self._table:
            self.tables[self._table].append([])
        elif tag == "td" and self._table:
            self.tables[self._table][-1].append("")
            self._cell = True
        elif tag == "a":
            self.links.append(named.get("href", ""))
        if "id" in named:
            self._open.append((tag, named["id"]))
            self.by_id[named["id"]] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "td":
            self._cell = False
        elif tag == "table":
            self.tables[self._table] = [row for row in self.tables[self._table] if row]
            self._table = ""
        if self._open and self._open[-1][0] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self._said.append(data)
        if self._open:
            self.by_id[self._open[-1][1]] += data
        if self._cell:
            row = self.tables[self._table][-1]
            row[-1] = f"{row[-1]} {data.strip()}".strip()
