from __future__ import annotations

import logging
import threading
from datetime import date, datetime, timezone

import pytest

from medmodel.language import (
    N_,
    _,
    format_date,
    format_number,
    format_utc,
    language_from,
    language_name,
    ngettext,
    present,
    present_language,
    speaking,
)

pytestmark = pytest.mark.usefixtures("languages")


def test_english_without_being_told() -> None:
    assert present_language() == "en"
    assert _("Start") == "Start"
    assert _("{share:.1%} of {name}", share=0.125, name="a{b}") == "12.5% of a{b}"
    assert ngettext("{count:,} image", "{count:,} images", 1) == "1 image"
    assert ngettext("{count:,} image", "{count:,} images", 1200) == "1,200 images"
    assert ngettext("{count:,} image", "{count:,} images", 0) == "0 images"


def test_values_change_places_and_numbers_their_point() -> None:
    with speaking("de"):
        assert _("{share:.1%} of {name}", share=0.125, name="x.y") == "Von x.y: 12,5%"
        assert ngettext("{count:,} image", "{count:,} images", 1) == "1 Bild"
        assert ngettext("{count:,} image", "{count:,} images", 1200) == "1.200 Bilder"
        assert format_number(1234.5, ",.2f") == "1.234,50"
    assert format_number(1234.5, ",.2f") == "1,234.50"


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "1 plik"), (2, "2 pliki"), (5, "5 plików"), (22, "22 pliki"), (0, "0 plików")],
)
def test_a_language_with_three_forms(count: int, text: str) -> None:
    with speaking("pl"):
        assert ngettext("{count} file", "{count} files", count) == text


@pytest.mark.parametrize("text", ["Not yet", "Guessed", "Not in the file"])
def test_without_a_translation_it_is_english(text: str) -> None:
    with speaking("de"):
        assert _(text) == text
        assert ngettext("{count} dog", "{count} dogs", 1) == "1 dog"


def test_a_wrong_translation_costs_no_page(caplog: pytest.LogCaptureFixture) -> None:
    with speaking("de"), caplog.at_level(logging.ERROR):
        assert _("Wrong {name}", name=0.5) == "Wrong 0.5"
        assert present_language() == "de"
    assert "Wrong {name}" in caplog.text


def test_a_forgotten_value_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        _("{share:.1%} of {name}", share=1)


def test_no_attribute_of_a_value_is_reached() -> None:
    with pytest.raises(KeyError):
        _("{name.__class__}", name="x")


def test_a_text_without_values_may_hold_braces() -> None:
    assert _("{n} stays") == "{n} stays"


def test_a_marked_text_is_said_later() -> None:
    title = N_("Start")
    assert title == "Start"
    with speaking("de"):
        assert _(title) == "Anfang"


def test_blocks_within_blocks_and_other_threads() -> None:
    heard: list[str] = []
    with speaking("de"):
        with speaking("pl"):
            assert present_language() == "pl"
        thread = threading.Thread(target=lambda: heard.append(present_language()))
        thread.start()
        thread.join()
        assert present_language() == "de"
    assert heard == ["en"]


def test_the_session_says_its_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(present, "_source", present._source)  # put back afterwards
    language_from(lambda: "de")
    assert _("Start") == "Anfang"
    with speaking("en"):
        assert _("Start") == "Start"
    language_from(lambda: "tlh")
    assert present_language() == "en"


def test_days() -> None:
    day = date(2026, 3, 9)
    assert format_date(day) == "09 Mar 2026"
    with speaking("de"):
        assert format_date(day) == "09.03.2026"


def test_a_moment_names_its_zone() -> None:
    moment = datetime(2026, 3, 9, 23, 5, tzinfo=timezone.utc).timestamp()
    assert format_utc(moment) == "09 Mar 2026, 23:05 UTC"
    with speaking("de"):
        assert format_utc(moment) == "09.03.2026 23:05 UTC"


def test_languages_by_their_own_names() -> None:
    assert [language_name(x) for x in ("en", "de", "zh_Hans")] == [
        *("English", "Deutsch", "简体中文")
    ]
