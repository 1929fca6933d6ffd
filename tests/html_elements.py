"""What a browser makes of an HTML document: its elements, and the text in between."""

from __future__ import annotations

from html.parser import HTMLParser

HOSTILE = "\"><script>alert(1)<img src=x onerror=alert(2)> ' & {{ 7 * 7 }} &lt;"
"""A name that is code for whoever forgets to escape it; also of a file or folder."""


class HTMLElements(HTMLParser):
    """Elements with the names of their attributes, in order, and all text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.text = ""
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data
