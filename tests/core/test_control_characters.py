"""Names that would turn, hide or end the text around them."""

from __future__ import annotations

import pytest

from medmodel.core.config import config_for
from medmodel.core.control_characters import html_text, one_line
from medmodel.core.templating import render_template

UNSEEN = ["\x00", "\x08", "\x1b", "\x7f", "\x9b", "\u202e", "\u2066", "\ud800"]
BREAKS = ["\n", "\r\n", "\t", "\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\u2028"]


@pytest.mark.parametrize("char", UNSEEN)
def test_a_name_loses_what_nobody_sees(char: str) -> None:
    assert one_line(f"a{char}[31m") == "a[31m"
    assert config_for("compact", "/data/x", name=f"M{char}e").title == "Me"
    assert config_for("compact", f"/data/x{char}", name=char).title.endswith(" on x")


@pytest.mark.parametrize("char", BREAKS)
def test_a_name_is_one_line(char: str) -> None:
    assert one_line(f"{char}a{char}{char}b") == "a b"
    assert config_for("compact", "/data/x", name=f"a{char}b").title == "a b"


@pytest.mark.parametrize("name", ["肺炎 \u3000a", "é  b", "👩\u200d⚕️", "a\u200cb"])
def test_other_names_stay(name: str) -> None:
    assert one_line(name) == html_text(name) == name


@pytest.mark.parametrize("char", ["\x00", "\x0b", "\x1b", "\x85", "\udfff"])
def test_documents_hold_no_control_characters(char: str) -> None:
    values = {"facts": [(f"<b>{char}", char)], "items": [], "glossary": []}
    document = render_template("model_card.html", title=f"T{char}", **values)
    assert char not in document
    assert "&lt;b&gt;" in document
