"""Training, validation and test images, with no patient in two of them.

Splits that the folders give are respected. Missing ones are drawn: seeded, stratified
by class (or by each finding, where an image may have several), and in whole groups.
Images of one patient are a group, and so are identical images, whatever their names.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from medmodel.core import samples
from medmodel.core.config import TrainConfig
from medmodel.core.connected_components import connected_components
from medmodel.core.errors import DataError
from medmodel.data.layouts.split_names import splits_of
from medmodel.data.multi_label.findings import split_findings
from medmodel.data.patient_regex import patients_of, search
from medmodel.language import N_, _

if TYPE_CHECKING:
    import pandas as pd

    from medmodel.data.datasets import Index

SPLITS = ("train", "val", "test")
_SPLIT_WORDS = {
    "train": N_("training"),
    "val": N_("validation"),
    "test": N_("test"),
}

_WORDS = ("patient", "person", "subject", "case", "subj", "pat", "pid", "sub", "pt")
_LETTERS = ("id", "p", "s")
"""Words before a number that name a patient; letters only if numbers recur."""


def assign_splits(index: Index, config: TrainConfig) -> pd.DataFrame:
    """Gives every readable image a split.

    Where the folders have no split at all, test and validation images are drawn from
    all; where one is missing, it is drawn from the training images. Images outside
    split folders count as training images.

    Of a cross-validation (`folds` > 1), the test images are one fold, and the
    validation images are drawn from the others: the folders' own split into training
    and validation does not count. The folders' own test images take no part at all,
    so that they stay fresh for the model that is chosen in the end.

    Args:
        index: The data set.
        config: `seed`, `val_fraction`, `test_fraction`, `patient_pattern`, `folds`,
            `fold`.

    Returns:
        Columns `path`, `label`, `patient` ("" if unknown), `split`; sorted by path.

    Raises:
        DataError: There are no training images, or too few to draw from.
    """
    readable = index.readable.sort_values("path", ignore_index=True)
    patients = known_patients(index, config.patient_pattern)
    table = readable[["path", "label"]].assign(
        patient=patients, split=readable["split"].replace("", "train")
    )
    groups = np.array(
        _groups(patients, readable["digest"].tolist(), readable["group"].tolist())
    )
    if config.folds > 1:
        table, groups = _folded(table, groups, config, index.multi_label)
    present = set(table["split"])
    if "train" not in present:
        raise DataError(
            _(
                "{name} has no training images: there must be a folder called "
                "train beside the others, or no such folders at all.",
                name=index.folder.name,
            )
        )
    labels = _classes_of(table["label"], index.multi_label)
    split = table["split"].to_numpy(dtype=object, copy=True)
    wishes = {"test": config.test_fraction, "val": config.val_fraction}
    total = int((split == "train").sum())
    for number, (name, fraction) in enumerate(wishes.items()):
        if name in present:
            continue
        rows = np.flatnonzero(split == "train")
        # Both fractions are shares of all images that there were to draw from.
        fraction *= total / len(rows)
        rng = np.random.default_rng([config.seed, number])
        of_rows = [labels[row] for row in rows.tolist()]
        split[rows[_draw(of_rows, groups[rows], fraction, rng)]] = name
    table["split"] = split
    _check_drawn(index.folder.name, table, labels)
    return table


def _classes_of(labels: Iterable[str], multi_label: bool) -> list[tuple[str, ...]]:
    """What each image is stratified by: its class; or its findings, "" for none."""
    if not multi_label:
        return [(label,) for label in labels]
    return [split_findings(label) or ("",) for label in labels]


def known_patients(index: Index, pattern: str) -> list[str]:
    """Each readable image's patient, by path: from its header, else from its name.

    Where neither tells, a file of which several samples may be taken is a patient.
    """
    readable = index.readable.sort_values("path")
    return resolve_patients(
        readable["path"].tolist(), readable["patient"].tolist(), pattern
    )


def resolve_patients(
    paths: Sequence[str], headers: Sequence[str], pattern: str
) -> list[str]:
    """The same for paths of images and what their headers say, "" if nothing.

    Raises:
        ConfigError: The pattern is not a regular expression.
    """
    # A pattern is tried in a process of its own: not on names that need none.
    unknown = [
        path for path, patient in zip(paths, headers, strict=True) if not patient
    ]
    named = dict(zip(unknown, patients_of(unknown, pattern), strict=True))
    return [
        patient or named[path] or samples.patient_stand_in(path)
        for path, patient in zip(paths, headers, strict=True)
    ]


def guess_patient_pattern(paths: Iterable[str]) -> str:
    """A pattern for patients from the usual ways to name files; "" if none fits.

    Knows words before numbers (`patient003_`, `person12_virus_3`, `ID_0015_AGE`),
    studies before image numbers (`IM-0115-0001`), TCGA barcodes, and one folder per
    patient inside a class. A guess must cover nearly all paths, and not make a whole
    class one patient.
    """
    paths = list(dict.fromkeys(map(samples.file_of, paths)))
    atoms = [atom for atom in _candidates(paths) if _share(paths, atom) >= 0.02]
    chosen: list[str] = []
    for atom in atoms:
        if not chosen or _share(paths, _union([*chosen, atom])) > _share(
            paths, _union(chosen)
        ):
            chosen.append(atom)
    pattern = _union(chosen) if chosen else ""
    if chosen and _share(paths, pattern) >= 0.9 and _plausible(paths, pattern):
        return pattern
    return _folder_pattern(paths)


def _candidates(paths: Sequence[str]) -> list[str]:
    """Patterns without outer parentheses whose words occur in these paths."""
    names = [path.rsplit("/", 1)[-1] for path in paths]
    patterns = [r"TCGA-\w\w-\w{4}", r"(?:[A-Za-z]+\d*-)?IM-\d+(?=-\d)"]
    words = "|".join((*_WORDS, *_LETTERS))
    counted = Counter(
        match[1]
        for name in names
        for match in [re.search(rf"(?i)(?<![a-z0-9])((?:{words})[-_ ]?)\d", name)]
        if match
    )
    for word, _count in counted.most_common():
        bound = r"(?<![A-Za-z0-9])"
        atom = rf"{bound}{re.escape(word)}\d+".replace(r"\-", "-").replace(r"\ ", " ")
        bare = word.rstrip("-_ ").lower()
        if bare in _LETTERS and not _recur(search(names, f"({atom})")):
            continue
        patterns.append(atom)
    return patterns


def _union(atoms: Sequence[str]) -> str:
    return f"({'|'.join(atoms)})"


def _share(paths: Sequence[str], pattern: str) -> float:
    patients = search(paths, pattern)
    return sum(map(bool, patients)) / max(len(paths), 1)


def _recur(patients: Sequence[str]) -> bool:
    """Whether numbers come again as they do for patients with several images."""
    counts = Counter(filter(None, patients))
    return bool(counts) and counts.total() / len(counts) > 1.1


def _plausible(paths: Sequence[str], pattern: str) -> bool:
    """Whether no patient has half of everything, and none is a whole class's folder."""
    patients = search(paths, pattern)
    counts = Counter(patients)
    folders = Counter(path.rpartition("/")[0] for path in paths)
    pairs = Counter(
        (path.rpartition("/")[0], p) for path, p in zip(paths, patients, strict=True)
    )
    whole = any(n > 2 and n == folders[folder] for (folder, _), n in pairs.items())
    return max(counts.values()) <= max(2, len(paths) / 2) and not whole


def _folder_pattern(paths: Sequence[str]) -> str:
    """The pattern for one folder per patient inside each class's; "" if none."""
    folders = [path.split("/")[:-1] for path in paths]
    depth = Counter(map(len, folders)).most_common(1)[0][0] if folders else 0
    usual = [f for f in folders if len(f) == depth]
    # Neither a split's folder nor one around everything is a class or a patient.
    classes = [
        level
        for level, names in enumerate(zip(*usual, strict=True))
        if len(set(names)) > 1 and not all(splits_of(names).values())
    ]
    if len(usual) < 0.9 * len(folders) or len(classes) < 2:
        return ""
    level = classes[1]
    names = {folder[level] for folder in usual}
    numbered = sum(any(c.isdigit() for c in name) for name in names)
    if len(names) < 3 or numbered < 0.8 * len(names):
        return ""
    return rf"^(?:[^/]+/){{{level}}}([^/]+)/"


def _groups(*links: Sequence[str]) -> list[int]:
    """Number of each image's group: linked by patient, image, or somebody's wish."""
    edges: list[tuple[int, int]] = []
    for keys in links:
        first: dict[str, int] = {}
        edges += [(first.setdefault(key, n), n) for n, key in enumerate(keys) if key]
    return connected_components(len(links[0]), edges)


def _folded(
    table: pd.DataFrame, groups: np.ndarray, config: TrainConfig, multi_label: bool
) -> tuple[pd.DataFrame, np.ndarray]:
    """The images of a cross-validation: one fold for the test, all others training."""
    used = (table["split"] != "test").to_numpy()
    table, groups = table[used].reset_index(drop=True), groups[used]
    # The same deal for every fold of an experiment.
    rng = np.random.default_rng([config.seed, len(SPLITS)])
    labels = _classes_of(table["label"], multi_label)
    fold = _dealt(labels, groups, config.folds, rng)
    split = np.where(fold == config.fold - 1, "test", "train")
    return table.assign(split=split.astype(object)), groups


def _dealt(
    labels: Sequence[tuple[str, ...]],
    groups: np.ndarray,
    folds: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Fold of each image from 0: whole groups, every class spread evenly, (n,) ints.

    The largest groups are dealt first, in random order among equals; each goes to the
    fold that has least of its classes, among such folds to the smallest.
    """
    classes = {label for each in labels for label in each}
    place = {label: number for number, label in enumerate(sorted(classes))}
    names, group = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), len(classes)))
    pairs = [(g, place[c]) for g, each in zip(group, labels, strict=True) for c in each]
    np.add.at(counts, tuple(np.array(pairs).T), 1)
    weights = counts / counts.sum(axis=0) ** 2
    order = rng.permutation(len(names))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    have = np.zeros((folds, len(classes)))
    fold_of = np.empty(len(names), int)
    for at in order:
        crowded = have @ weights[at] + 1e-12 * have.sum(axis=1)
        fold_of[at] = crowded.argmin()
        have[fold_of[at]] += counts[at]
    return fold_of[group]


def _draw(
    labels: Sequence[tuple[str, ...]],
    groups: np.ndarray,
    fraction: float,
    rng: np.random.Generator,
) -> list[int]:
    """Row numbers of whole groups that hold about `fraction` of every class.

    Groups are looked at in random order; one is taken if that brings the classes
    nearer to their wish and leaves every class at least one training image.
    """
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(row)
    total = Counter(itertools.chain.from_iterable(labels))
    wish = {label: max(1.0, fraction * n) for label, n in total.items()}
    have: Counter[str] = Counter()
    order = list(members)
    rng.shuffle(order)
    drawn: list[int] = []
    for group in order:
        of_group = (labels[row] for row in members[group])
        counts = Counter(itertools.chain.from_iterable(of_group))
        leaves_some = all(have[c] + n < total[c] for c, n in counts.items())
        if leaves_some and _gain(counts, have, wish) > 0:
            have.update(counts)
            drawn += members[group]
    return drawn


def _gain(counts: Counter[str], have: Counter[str], wish: dict[str, float]) -> float:
    """How much nearer to the wish these counts bring us, classes weighing alike."""
    return sum(
        ((have[c] - wish[c]) ** 2 - (have[c] + n - wish[c]) ** 2) / wish[c] ** 2
        for c, n in counts.items()
    )


def _check_drawn(
    name: str, table: pd.DataFrame, labels: Sequence[tuple[str, ...]]
) -> None:
    for split in SPLITS:
        if split not in set(table["split"]):
            raise DataError(
                _(
                    "{name} is too small to be split: no whole patient (or image) can "
                    "be spared for the {split} images.",
                    name=name,
                    split=_(_SPLIT_WORDS[split]),
                )
            )
    trained = (table["split"] == "train").tolist()
    present = {
        c for each, used in zip(labels, trained, strict=True) if used for c in each
    }
    without = set(itertools.chain.from_iterable(labels)) - present - {""}
    if without:
        raise DataError(
            _(
                "There are no training images of {classes} in {name}.",
                classes=", ".join(sorted(without)),
                name=name,
            )
        )
