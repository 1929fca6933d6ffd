"""Could the classes be told apart without looking at a single image?

Images of one class often come from one machine, export or web site. A network then
learns the source. A small decision tree on facts alone that have nothing to do with
disease tells how easy that would be.

Folders and file names are judged apart, by `differences.sources`: a network sees
neither, and files are so often named after their class that nearly every data set would
be warned of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medmodel.language import N_

if TYPE_CHECKING:
    import pandas as pd

MOST_IMAGES = 20_000
FOLDS = 5
FEWEST = 2 * FOLDS
"""Images of a class that are needed for a judgement."""
_WORDS = {
    "width": N_("width"),
    "height": N_("height"),
    "shape": N_("aspect ratio"),
    "format": N_("file format"),
    "mode": N_("colour mode or bit depth"),
    "colour": N_("colour"),
    "letters": N_("letters or markers near the edges"),
    "black_frame": N_("black frames"),
    "white_frame": N_("white frames"),
}
_MEASURED = ("colour", "letters", "black_frame", "white_frame")
"""Columns that count where they are given."""


@dataclass(frozen=True)
class Shortcut:
    """How well file facts tell the classes.

    Args:
        accuracy: Balanced accuracy in cross-validation, 0 to 1.
        chance: What guessing reaches.
        strongest: The fact that tells most, in words.
        by_patient: Whether patients are known, and none was in two folds.
    """

    accuracy: float
    chance: float
    strongest: str
    by_patient: bool = False

    @property
    def suspicious(self) -> bool:
        """Whether at least half of the way from chance to perfect is reached."""
        return self.accuracy >= (1 + self.chance) / 2


def accuracy(table: pd.DataFrame, seed: int = 0) -> Shortcut | None:
    """Judges by a tree of depth 3 on size, format, mode, colour and marks.

    How many bytes a file takes plays no part: that depends on what is shown, and on how
    long its header is.

    Args:
        table: Columns of `Index.table`, maybe with those of `burned_in.measure`.
            Images of one patient resemble each other in their files, too, so no
            patient is in two folds; an unknown patient is one of its own.
        seed: Of the sample and of the folds.

    Returns:
        None where a class has too few images to judge.
    """
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    if len(table) > MOST_IMAGES:
        table = table.sample(MOST_IMAGES, random_state=seed)
    labels, classes = table["label"].factorize()
    if len(classes) < 2:
        return None
    features = _features(table)
    tree = DecisionTreeClassifier(
        max_depth=3, class_weight="balanced", min_samples_leaf=5, random_state=seed
    )
    patients = table["patient"].where(table["patient"] != "", table["path"])
    if table.assign(unit=patients).groupby("label")["unit"].nunique().min() < FEWEST:
        return None
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    guessed = cross_val_predict(
        tree, features.to_numpy(), labels, cv=folds, groups=patients
    )
    right = np.bincount(labels[guessed == labels], minlength=len(classes))
    recalls = right / np.bincount(labels)
    tree.fit(features.to_numpy(), labels)
    strongest = features.columns[int(np.argmax(tree.feature_importances_))]
    known = bool((table["patient"] != "").all())
    chance = 1 / len(classes)
    return Shortcut(float(recalls.mean()), chance, _WORDS[strongest], known)


def _features(table: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    width, height = table["width"].clip(lower=1), table["height"].clip(lower=1)
    return pd.DataFrame(
        {
            "width": width,
            "height": height,
            "shape": width / height,
            "format": table["format"].factorize()[0],
            "mode": table["mode"].factorize()[0],
            **{name: table[name] for name in _MEASURED if name in table},
        }
    ).astype(float)
