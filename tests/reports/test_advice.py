"""Advice by hand; every sentence counts the very images that it leads to."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmodel.evaluation.predictions import Predictions
from medmodel.evaluation.review.gallery import ImageFilter, image_table, select_images
from medmodel.reports.advice import Advice, advice


def predictions(
    classes: str, *cells: tuple[str, str, int], score: float = 0.6
) -> Predictions:
    """Images by (label, predicted class, number), all with this score."""
    truth, scores = [], []
    for label, choice, number in cells:
        row = np.full(len(classes), (1 - score) / (len(classes) - 1))
        row[classes.index(choice)] = score
        truth += [classes.index(label)] * number
        scores += [row] * number
    return Predictions(
        list(classes), np.array(truth, np.intp), np.array(scores, float), None
    )


def test_where_the_errors_of_a_class_go() -> None:
    data = predictions(
        "BNV", ("B", "B", 28), ("B", "V", 9), ("B", "N", 3), ("N", "N", 40)
    )
    (only,) = advice(data, {"B": 38, "N": 200, "V": 150})
    assert only.sentence == (
        "9 of 12 errors in B (n = 40 images) are predicted as V; B has 38 training "
        "images: more images of B, or merging the two classes, may help."
    )
    assert (only.images, only.count) == (ImageFilter(label="B", choice="V"), 9)


def test_half_of_the_errors_is_no_direction() -> None:
    data = predictions(
        "BNV", ("B", "B", 9), ("B", "V", 2), ("B", "N", 2), ("N", "N", 9)
    )
    (only,) = advice(data, {"B": 1})
    assert only.sentence == (
        "4 of 13 test images of B are misclassified, as several other classes; B has "
        "1 training image: more images of B may help."
    )
    assert only.images == ImageFilter(label="B", wrong=True)


def test_two_classes_cannot_be_merged() -> None:
    data = predictions("pn", ("p", "p", 5), ("p", "n", 3), ("n", "n", 20))
    (only,) = advice(data)
    assert only.sentence == (
        "3 of 8 test images of p are predicted as n: more images of p, or another "
        "decision threshold, may help."
    )


def test_the_class_with_the_largest_share_of_errors() -> None:
    data = predictions(
        "abc",
        ("a", "b", 4),
        ("a", "a", 40),
        ("b", "c", 3),
        ("b", "b", 3),
        ("c", "c", 9),
    )
    assert advice(data)[0].sentence.startswith("3 of 3 errors in b (n = 6 images)")
    sentence = advice(data, copies=2)[0].sentence
    assert sentence.startswith("3 of 3 errors in b (n = 6 images; copies left out) are")


def test_a_class_with_two_errors_is_not_blamed() -> None:
    data = predictions(
        "abc", ("a", "b", 2), ("b", "c", 1), ("b", "b", 9), ("c", "c", 9)
    )
    assert [a.sentence[:8] for a in advice(data)] == ["a is nev"]


def test_no_better_than_the_baseline() -> None:
    data = predictions("ab", ("a", "a", 5), ("a", "b", 1), ("b", "a", 2), ("b", "b", 1))
    assert advice(data)[0] == Advice(
        "6 of 9 test images are classified correctly; always predicting a would get 6 "
        "right, so the model is no better than this baseline here.",
        ImageFilter(wrong=True),
        3,
    )
    better = predictions("ab", ("a", "a", 5), ("b", "a", 3), ("b", "b", 1))
    assert "baseline" not in advice(better)[0].sentence


def test_a_class_that_is_never_predicted() -> None:
    data = predictions("abc", ("a", "a", 9), ("b", "a", 4), ("c", "c", 3))
    (only,) = advice(data, {"b": 7})
    assert only == Advice(
        "b is never predicted; the true class of 4 test images is b; b has 7 training "
        "images: more images of b may help.",
        ImageFilter(label="b"),
        4,
    )


def test_a_class_without_test_images_is_not_blamed() -> None:
    data = predictions("abz", ("a", "a", 9), ("b", "a", 4), ("b", "b", 3))
    assert not any("z" in a.sentence for a in advice(data))


def test_confident_errors_are_counted_above_nine_tenths() -> None:
    at = predictions("ab", ("a", "a", 9), ("b", "a", 4), ("b", "b", 1), score=0.9)
    assert not any("score" in a.sentence for a in advice(at))
    above = predictions("ab", ("a", "a", 9), ("b", "a", 4), ("b", "b", 1), score=0.91)
    assert advice(above)[-1] == Advice(
        "4 of 4 errors have a score above 90 %: check the labels of these images "
        "first.",
        ImageFilter(wrong=True, low=0.9),
        4,
    )


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        (0, "0 of 9 test images are misclassified."),
        (1, "1 of 10 test images is misclassified: too few"),
        (2, "2 of 11 test images are misclassified: too few"),
    ],
)
def test_few_errors(errors: int, words: str) -> None:
    (only,) = advice(predictions("ab", ("a", "a", 9), ("b", "a", errors)))
    assert only.sentence.startswith(words)
    assert only.count == (errors or 9)


def test_copies_are_said() -> None:
    data = predictions("ab", ("a", "a", 9), ("b", "a", 2))
    (only,) = advice(data, copies=3)
    assert only.sentence.startswith("2 of 11 test images (copies left out) are")
    (only,) = advice(data, copies=11, all_are_copies=True)
    assert only.sentence.startswith("Every test image (n = 11) is a copy of a training")
    (only,) = advice(data, copies=11, all_are_copies=True, external=True)
    assert "is a copy of an image of the model's own data set" in only.sentence


def test_no_image_no_advice() -> None:
    assert advice(predictions("ab", ("a", "a", 0))) == []


@settings(deadline=None)
@given(st.data())
def test_every_sentence_counts_the_images_that_it_leads_to(
    drawn: st.DataObject,
) -> None:
    classes = drawn.draw(st.integers(2, 5))
    n = drawn.draw(st.integers(1, 40))
    seed = drawn.draw(st.integers(0, 999))
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.full(classes, 0.3), n)
    truth = rng.integers(0, drawn.draw(st.integers(1, classes)), n)
    names = [f"c{at}" for at in range(classes)]
    data = Predictions(names, truth.astype(np.intp), scores, None)
    table = pd.DataFrame(
        {
            "path": [f"{at}.png" for at in range(n)],
            "patient": "",
            "split": "test",
            "label": np.array(names)[truth],
        }
    )
    rows = image_table(table, data)
    given_advice = advice(data, dict.fromkeys(names, 5))
    assert 1 <= len(given_advice) <= 3
    for each in given_advice:
        assert len(select_images(rows, each.images, data=data)) == each.count
        numbers = re.findall(r"\b\d+\b", each.sentence)
        assert str(each.count) in numbers or each.sentence.count(" right, so") == 1
