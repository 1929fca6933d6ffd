from __future__ import annotations

import pytest

from medmodel.language import join_sentences, speaking, translate

pytestmark = pytest.mark.usefixtures("languages")


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("Start", "Anfang"),
        ("1 image", "1 Bild"),
        ("1,200 images", "1,200 Bilder"),
        ("some images", "some Bild"),
        (
            "The file a b.png cannot be read: it is empty or cut short",
            "Die Datei a b.png ist nicht lesbar: sie ist leer oder abgeschnitten",
        ),
        # A class may have the name of a button, and is no text of ours.
        (
            "The file Normal cannot be read: Start",
            "Die Datei Normal ist nicht lesbar: Start",
        ),
        ("x.png is empty. Choose another.", "x.png ist leer. Wähle eine andere."),
        ("Nobody knows. Choose another.", "Nobody knows. Wähle eine andere."),
        ("two\nlines is empty.", "two\nlines ist leer."),
        ("3 stays with 3", "3 bleibt bei 3"),
        ("3 stays with 4", "3 stays with 4"),
        # A list within a text: each of its own, not one with the others as values.
        (
            "The file a b cannot be read: c d is empty., it is empty or cut short",
            "Die Datei a b ist nicht lesbar: c d ist leer., "
            "sie ist leer oder abgeschnitten",
        ),
        (
            "The file a b cannot be read: c d is empty., nobody knows it",
            "Die Datei a b ist nicht lesbar: c d is empty., nobody knows it",
        ),
        # Too little in "{share} of {name}" is ours to know it again.
        ("out of order", "out of order"),
        ("is empty.", "is empty."),
        ("Something else", "Something else"),
        ("", ""),
    ],
)
def test_the_values_are_found_again(english: str, german: str) -> None:
    assert translate(english) == english
    with speaking("de"):
        assert translate(english) == german


def test_sentences_one_after_the_other() -> None:
    assert join_sentences(["One.", "", "Two."]) == "One. Two."
    assert join_sentences(["一。", "二！", "Three.", "四"]) == "一。二！Three. 四"
    assert join_sentences([]) == ""
