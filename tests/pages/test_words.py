"""Titles of select boxes, no two alike; lengths of time and numbers of bytes."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from pages._shared.common.widgets import folder_names
from pages._shared.common.words import ago, bytes_text, disambiguate, duration, plain

# GitHub Flavored Markdown as Streamlit's pages read it: what makes a link of bare text,
# once escapes are resolved (mdast-util-gfm-autolink-literal).
LINKS = re.compile(
    r"(https?:\/\/|www(?=\.))([-.\w]+)|([-.\w+]+)@([-\w]+(?:\.[-\w]+)+)", re.I
)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "http://a.example",
            "HTTPS://A.example/x?y",
            "www.a.example",
            "WwW.a.example",
        ),
        *("mail@a.example", "a.b+c@d-e.example", "mailto:x@y.example", "@@a@b.c"),
        *("<http://a.example>", "[x](http://a.example)", "![x](www.a.example)"),
        *("http://http://www.www.a.example", "(www.a.example)", "_www.a.example_"),
        *("xmpp:a@b.example", "[x]: http://a.example", "[x][y]", ":a[b]"),
    ],
)
def test_a_name_never_becomes_a_link(name: str) -> None:
    shown = plain(name)
    resolved = re.sub(r"\\(\W|_)", r"\1", shown)
    assert not LINKS.search(resolved) and not LINKS.search(shown)
    assert resolved.replace("\N{WORD JOINER}", "") == name
    assert not re.search(r"(?<!\\)[<>\[\]()!:`]", shown)


def test_a_name_has_one_line() -> None:
    assert plain("a\n# b\r\nc\u2028d") == r"a \# b c d"


def test_other_names_are_as_they_were() -> None:
    assert plain("http") == "http" and plain("www") == "www" and plain("a b") == "a b"


def test_only_namesakes_get_more() -> None:
    titles = {"a1": "chest", "b1": "chest", "c1": "hand"}
    told = disambiguate(titles, lambda option: option[0])
    assert told == {"a1": "chest (a)", "b1": "chest (b)", "c1": "hand"}


def test_folders_of_one_name_are_told_by_where_they_lie(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A select box took the last of two alike whichever was pressed."""
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(tmp_path))
    own = tmp_path / "datasets" / "chest"
    told = folder_names([str(own), "/a/chest", "/b/hand"])
    assert told[str(own)] == f"chest ({own.parent})"
    assert told["/a/chest"] == "chest (/a)"
    assert told["/b/hand"] == "hand"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.44, "0.4 s"),
        (1, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (130, "2 min 10 s"),
        (3599.6, "1 h"),
        (3900, "1 h 5 min"),
        (90_000, "25 h"),
    ],
)
def test_a_length_of_time(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (5 * 3600, "5 h ago"),
        (86_399, "23 h ago"),
        (86_400, "01 Mar 2024"),
    ],
)
def test_how_long_ago(monkeypatch: pytest.MonkeyPatch, passed: int, text: str) -> None:
    moment = time.mktime((2024, 3, 1, 12, 0, 0, 0, 0, -1))
    monkeypatch.setattr(time, "time", lambda: moment + passed)
    assert ago(moment) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (12_400_000, "12 MB"),
        (999_000_000, "999 MB"),
        (1_000_000_000, "1.0 GB"),
        (3_440_000_000_000, "3440.0 GB"),
    ],
)
def test_a_number_of_bytes(count: float, text: str) -> None:
    assert bytes_text(count) == text
