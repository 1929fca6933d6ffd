"""In what the files and images of one class differ from those of another.

A network learns whatever tells classes apart, also what has nothing to do with disease:
a letter that one hospital burns in, a black frame, the number of bits, the machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from medmodel.core.samples import file_of
from medmodel.evaluation.intervals.proportions import wilson
from medmodel.language import N_, _

if TYPE_CHECKING:
    import pandas as pd

GAP = 0.25
"""Classes differ if the shares of their images that have something lie so far apart,
and their 95 % intervals do not overlap."""
FEWEST = 10
"""Files of a class that are needed for a judgement."""
FRAME = 3
"""Per cent of the side from which a plain border counts as a frame."""
COLOURED = 4
"""Mean distance of channels, of 255, from which an image is not grey."""
HINTS = ("black-frames", "white-frames")
"""Comparisons whose examples were true in less than 80 % of the real images looked at:
9 of 12 black borders were frames, the others the straight end of a body."""
_FOLDS = 5


class ClassDifference(NamedTuple):
    """Something that one class has more often than another.

    Args:
        kind: Which comparison found it.
        title: In a few words.
        sentence: How often each class has it.
        paths: Files of the class that has it most often, and that have it.
    """

    kind: str
    title: str
    sentence: str
    paths: list[str]


def differences(table: pd.DataFrame) -> list[ClassDifference]:
    """What sets classes apart beside what is shown.

    Args:
        table: Columns of `Index.table`, and for some rows those of `marks.measure`.
    """
    seen = table[table["letters"].notna()]
    kinds = table["format"] + ", " + table["mode"]
    results = [
        _differs(
            "letters",
            _("Letters or markers that go with the class"),
            N_(
                "{high:.0f} % of {most} have small marks near the edges that look like "
                "letters, and {low:.0f} % of {least} (n = {most_images:,} and "
                "{least_images:,})."
            ),
            seen.assign(has=seen["letters"] > 0),
        ),
        _differs(
            "black-frames",
            _("Black frames that go with the class"),
            N_(
                "{high:.0f} % of {most} have a black border, and {low:.0f} % of "
                "{least} (n = {most_images:,} and {least_images:,})."
            ),
            seen.assign(has=seen["black_frame"] >= FRAME),
        ),
        _differs(
            "white-frames",
            _("White frames that go with the class"),
            N_(
                "{high:.0f} % of {most} have a white border, and {low:.0f} % of "
                "{least} (n = {most_images:,} and {least_images:,})."
            ),
            seen.assign(has=seen["white_frame"] >= FRAME),
        ),
        _differs(
            "colours",
            _("Colour that goes with the class"),
            N_(
                "{high:.0f} % of {most} are in colour, and {low:.0f} % of {least} (n = "
                "{most_images:,} and {least_images:,})."
            ),
            table.assign(has=table["colour"] >= COLOURED),
        ),
    ]
    # One kind of file suffices: the others are its reverse.
    for kind in kinds.value_counts().index[:8]:
        title = _("Formats or bit depths that go with the class")
        text = N_(
            "{high:.0f} % of {most} are stored as {kind}, and {low:.0f} % of {least} "
            "(n = {most_images:,} and {least_images:,})."
        )
        rows = table.assign(has=kinds == kind)
        if format_difference := _differs("formats", title, text, rows, kind):
            results.append(format_difference)
            break
    return [difference for difference in results if difference]


def _differs(
    kind: str, title: str, text: str, table: pd.DataFrame, stored_as: str = ""
) -> ClassDifference | None:
    """The difference in column `has`, if it is large and certain."""
    counts = table.groupby("label")["has"].agg(["sum", "size"])
    counts = counts[counts["size"] >= FEWEST]
    if len(counts) < 2:
        return None
    shares = (counts["sum"] / counts["size"]).sort_values(kind="stable")
    least, most = shares.index[0], shares.index[-1]
    low, high = (
        wilson(int(counts["sum"][c]), int(counts["size"][c])) for c in (least, most)
    )
    if high.value - low.value < GAP or high.low <= low.high:
        return None
    sentences = [
        _(
            text,
            high=100 * high.value,
            most=most,
            low=100 * low.value,
            least=least,
            most_images=high.n,
            least_images=low.n,
            kind=stored_as,
        ),
        _("A network may learn that instead of the disease."),
    ]
    if kind in HINTS:
        sentences.append(_("Look at the examples: it may be what is shown."))
    rows = table[(table["label"] == most) & table["has"]]
    return ClassDifference(kind, title, " ".join(sentences), rows["path"].tolist())


class Sources(NamedTuple):
    """How well folders and the pattern of file names tell the classes.

    Args:
        accuracy: Balanced accuracy in cross-validation, 0 to 1.
        chance: What guessing reaches.
        examples: (class, patterns) of the commonest patterns of each class.
        named: Whether each class has just one pattern: files named after classes.
    """

    accuracy: float
    chance: float
    examples: list[tuple[str, list[str]]]
    named: bool

    @property
    def suspicious(self) -> bool:
        """Whether at least half of the way from chance to perfect is reached."""
        return self.accuracy >= (1 + self.chance) / 2


def source_of(path: str, classes: Sequence[str]) -> str:
    """Where a file seems to come from: its inner folders and the form of its name.

    Numbers become #, the usual names of splits are taken out, and so is what looks
    drawn by lot. Names of classes are taken out as well, of all classes alike and in
    the singular, too: taken out of one class's files alone, they would make the
    difference themselves.
    """
    *folders, name = file_of(path).split("/")
    stem = name.split(".")[0]
    words = {"train", "val", "test", "training", "validation"}
    words |= {name.casefold() for name in classes}
    inner = [re.sub(r"\d+", "#", f) for f in folders if f.casefold() not in words]
    if re.fullmatch(r"(?i)[0-9a-f]{12,}|[0-9a-f-]{32,}", stem):
        stem = "#"
    form = re.sub(r"\d+", "#", stem)
    for label in sorted(classes, key=len, reverse=True):
        word = _name_pattern(label)
        if word:
            form = re.sub(rf"(?i)(?<![a-z]){word}(?![a-z])", "", form)
    return "/".join([*inner[-2:], form[:40]])


def _name_pattern(label: str) -> str:
    """A pattern for a class's name, singular or plural, joined in any way; or ""."""
    words = [w for w in re.split(r"[\s_.-]+", re.sub(r"\d+", "#", label)) if w]
    if not set(words) - {"#"}:
        return ""
    *first, last = words
    plural = re.search(r"(?i)(?:(?<=\w{3})(?:ies|y|es|s))?$", last)
    assert plural is not None
    either = "(?:ies|y)" if plural[0].lower() in ("ies", "y") else "(?:e?s)?"
    stem = re.escape(last[: plural.start()])
    return r"[\s_.-]*".join([*map(re.escape, first), stem + either])


def sources(table: pd.DataFrame) -> Sources | None:
    """Whether folders and names go with the class; None where too few to judge.

    Args:
        table: Columns `path` and `label`.
    """
    labels, classes = table["label"].factorize()
    counts = np.bincount(labels)
    if len(classes) < 2 or counts.min() < FEWEST:
        return None
    class_names = list(map(str, classes))
    names = [source_of(path, class_names) for path in table["path"]]
    codes = np.unique(names, return_inverse=True)[1]
    if codes.max() == 0:
        return None
    # The commonest class of a source, each class weighing the same, in the other folds.
    fold = np.random.default_rng(0).permutation(len(labels)) % _FOLDS
    guessed = np.empty(len(labels), np.intp)
    for number in range(_FOLDS):
        votes = np.zeros((codes.max() + 1, len(classes)))
        other = fold != number
        np.add.at(votes, (codes[other], labels[other]), 1 / counts[labels[other]])
        guessed[~other] = votes.argmax(axis=1)[codes[~other]]
    right = np.bincount(labels[guessed == labels], minlength=len(classes)) / counts
    by_class = table.assign(source=names).groupby("label")["source"]
    examples = [
        (str(label), group.value_counts().index[:3].tolist())
        for label, group in by_class
    ]
    named = all(len(patterns) == 1 for _, patterns in examples)
    return Sources(float(right.mean()), 1 / len(classes), examples, named)
