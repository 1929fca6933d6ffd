"""What to do next after a run: three sentences at most, each a measured fact.

Every sentence names its numbers and which images they count, so that it can be checked
by looking at them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.evaluation import confusion_matrix
from medmodel.evaluation.predictions import Predictions
from medmodel.evaluation.review.gallery import ImageFilter
from medmodel.language import _, ngettext

Counts = NDArray[np.int64]
"""A confusion matrix: rows labels, columns predicted classes."""

MOST = 3
"""Sentences that anybody reads."""
FEW_ERRORS = 3
"""Errors below which nothing is said of where they lie: one more changes it."""
CONFIDENT = 0.9
"""Score above which an error is worth a look at its label."""


@dataclass(frozen=True)
class Advice:
    """One sentence and the images that it counts.

    Args:
        sentence: A fact with its numbers, and what may help.
        images: Which of the test images it is about.
        count: How many these are.
    """

    sentence: str
    images: ImageFilter
    count: int


def advice(
    data: Predictions,
    training_images: Mapping[str, int] | None = None,
    copies: int = 0,
    all_are_copies: bool = False,
    external: bool = False,
) -> list[Advice]:
    """At most three sentences on a run's test images, the gravest first.

    Args:
        data: The test images; without copies, unless all are copies.
        training_images: Class -> number of training images; None where it says nothing,
            as for a test on another data set.
        copies: Test images that were left out as copies.
        all_are_copies: Whether nothing but copies is left to look at.
        external: Whether this is a test on another data set.
    """
    if not len(data.truth):
        return []
    if all_are_copies:
        return [_all_copies(data, external)]
    without = _(" (copies left out)") if copies else ""
    errors = int((data.predicted != data.truth).sum())
    if errors < FEW_ERRORS:
        return [_few_errors(errors, len(data.truth), without)]
    return list(_many_errors(data, training_images or {}, without))[:MOST]


def _all_copies(data: Predictions, external: bool) -> Advice:
    n = len(data.truth)
    return Advice(
        _(
            "Every test image (n = {n:,}) is a copy of an image of the model's own "
            "data set: nothing can be said before there are others.",
            n=n,
        )
        if external
        else _(
            "Every test image (n = {n:,}) is a copy of a training or "
            "validation image: nothing can be said before there are others.",
            n=n,
        ),
        ImageFilter(),
        n,
    )


def _few_errors(errors: int, n: int, without: str) -> Advice:
    if not errors:
        sentence = _(
            "0 of {images:,} test images{without} are misclassified.",
            images=n,
            without=without,
        )
        return Advice(sentence, ImageFilter(), n)
    return Advice(
        ngettext(
            "{count} of {images:,} test images{without} is misclassified: too few "
            "errors to tell where the model fails, few enough to look at each.",
            "{count} of {images:,} test images{without} are misclassified: too few "
            "errors to tell where the model fails, few enough to look at each.",
            errors,
            images=n,
            without=without,
        ),
        ImageFilter(wrong=True),
        errors,
    )


def _many_errors(
    data: Predictions, training_images: Mapping[str, int], without: str
) -> Iterator[Advice]:
    confusion = confusion_matrix(data)
    yield from _below_baseline(data.classes, confusion, without)
    images, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    silent = np.flatnonzero((predicted == 0) & (images > 0))
    if len(silent):
        commonest = int(silent[images[silent].argmax()])
        yield _never_predicted(data.classes, confusion, commonest, training_images)
    worst = _worst_class(confusion, set(silent.tolist()))
    if worst is not None:
        yield _errors_of_class(data.classes, confusion, worst, training_images, without)
    yield from _confident(data)


def _below_baseline(
    classes: list[str], confusion: Counts, without: str
) -> Iterator[Advice]:
    hits, images = int(np.trace(confusion)), confusion.sum(axis=1)
    majority, n = int(images.argmax()), int(confusion.sum())
    if hits > images[majority]:
        return
    yield Advice(
        _(
            "{correct:,} of {images:,} test images{without} are classified correctly; "
            "always predicting {majority} would get {baseline:,} right, so the model "
            "is no better than this baseline here.",
            correct=hits,
            images=n,
            without=without,
            majority=classes[majority],
            baseline=int(images[majority]),
        ),
        ImageFilter(wrong=True),
        n - hits,
    )


def _never_predicted(
    classes: list[str],
    confusion: Counts,
    position: int,
    training_images: Mapping[str, int],
) -> Advice:
    name, n = classes[position], int(confusion[position].sum())
    return Advice(
        ngettext(
            "{name} is never predicted; the true class of {count:,} test image is "
            "{name}{training}: more images of {name} may help.",
            "{name} is never predicted; the true class of {count:,} test images is "
            "{name}{training}: more images of {name} may help.",
            n,
            name=name,
            training=_with_training(name, training_images),
        ),
        ImageFilter(label=name),
        n,
    )


def _worst_class(confusion: Counts, without: set[int]) -> int | None:
    """The class with the largest share of errors among those with a few at least."""
    images = confusion.sum(axis=1)
    errors = images - np.diag(confusion)
    candidates = [
        position
        for position in range(len(confusion))
        if errors[position] >= FEW_ERRORS and position not in without
    ]
    if not candidates:
        return None
    return max(candidates, key=lambda at: (errors[at] / images[at], errors[at]))


def _errors_of_class(
    classes: list[str],
    confusion: Counts,
    position: int,
    training_images: Mapping[str, int],
    without: str,
) -> Advice:
    """Where most of a class's errors go, if they go to one class."""
    name, n = classes[position], int(confusion[position].sum())
    row = confusion[position].copy()
    row[position] = 0
    errors, most = int(row.sum()), int(row.max())
    other = classes[int(row.argmax())]
    training = _with_training(name, training_images)
    if len(classes) == 2:
        return Advice(
            _(
                "{errors:,} of {images:,} test images of {name}{without} are predicted "
                "as {other}{training}: more images of {name}, or another decision "
                "threshold, may help.",
                errors=errors,
                images=n,
                name=name,
                without=without,
                other=other,
                training=training,
            ),
            ImageFilter(label=name, choice=other),
            errors,
        )
    if 2 * most > errors:
        return _errors_as_one(name, n, (most, errors), other, training, without)
    return Advice(
        _(
            "{errors:,} of {images:,} test images of {name}{without} are "
            "misclassified, as several other classes{training}: more images of "
            "{name} may help.",
            errors=errors,
            images=n,
            name=name,
            without=without,
            training=training,
        ),
        ImageFilter(label=name, wrong=True),
        errors,
    )


def _errors_as_one(
    name: str,
    images: int,
    errors: tuple[int, int],
    other: str,
    training: str,
    without: str,
) -> Advice:
    """Of a class's errors more than half go to one other: `errors` are (these, all)."""
    counted = (
        _("n = {n:,} images; copies left out", n=images)
        if without
        else _("n = {n:,} images", n=images)
    )
    sentence = _(
        "{most:,} of {errors:,} errors in {name} ({counted}) are predicted as "
        "{other}{training}: more images of {name}, or merging the two classes, "
        "may help.",
        most=errors[0],
        errors=errors[1],
        name=name,
        counted=counted,
        other=other,
        training=training,
    )
    return Advice(sentence, ImageFilter(label=name, choice=other), errors[0])


def _confident(data: Predictions) -> Iterator[Advice]:
    wrong = data.predicted != data.truth
    confident = int((wrong & (data.scores.max(axis=1) > CONFIDENT)).sum())
    if not confident:
        return
    yield Advice(
        ngettext(
            "{count:,} of {errors:,} errors has a score above {score:.0f} %: check the "
            "labels of these images first.",
            "{count:,} of {errors:,} errors have a score above {score:.0f} %: check "
            "the labels of these images first.",
            confident,
            errors=int(wrong.sum()),
            score=100 * CONFIDENT,
        ),
        ImageFilter(wrong=True, low=CONFIDENT),
        confident,
    )


def _with_training(name: str, training_images: Mapping[str, int]) -> str:
    """A clause on the class's training images; empty where they are not known."""
    if name not in training_images:
        return ""
    return ngettext(
        "; {name} has {count:,} training image",
        "; {name} has {count:,} training images",
        training_images[name],
        name=name,
    )
