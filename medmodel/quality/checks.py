"""What should be known about a data set before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from medmodel.core.samples import file_of, patient_stand_in
from medmodel.data.multi_label.findings import row_per_finding, split_findings
from medmodel.data.multi_label.sample_size import findings_warnings
from medmodel.data.sample_size import dataset_warnings
from medmodel.data.splits import SPLITS
from medmodel.language import SOURCE, _, ngettext, speaking

if TYPE_CHECKING:
    import pandas as pd

    from medmodel.data.datasets import Index

_MOST_COMBINATIONS = 12
Level = Literal["ok", "warning", "problem", "unsplit"]


@dataclass(frozen=True)
class Duplicates:
    """Files that hold the same image, pixel by pixel.

    Args:
        paths: The files, sorted.
        labels: Their classes, each once.
        splits: Their splits, each once.
    """

    paths: list[str]
    labels: list[str]
    splits: list[str]


@dataclass(frozen=True)
class DatasetReport:
    """The findings; plain values, so that they can be kept as JSON.

    Args:
        fingerprint: `Index.fingerprint` of what was examined.
        images: Class -> split -> number of readable images.
        patients: Class -> split -> number of known patients.
        splits: Splits that have images, in the order train, val, test.
        drawn: Those of them that the folders do not have.
        num_images: Readable images.
        num_patients: Known patients in all.
        without_patient: Images whose patient is unknown.
        patient_examples: (path, patient) of a few images, "" if unknown.
        sizes: (width, height, images) of the commonest sizes, at most 12.
        num_sizes: Different sizes in all.
        smallest: Smallest width and height, each by itself.
        largest: Largest width and height, each by itself.
        modes: "JPEG, RGB" and the like -> images.
        baseline_class: The commonest class of the training images; of several that
            have equally many, the one with most test images.
        baseline: Share of test images that always answering it gets right.
        imbalance: Training images of the commonest class / of the rarest.
        unreadable: (path, reason).
        ignored: (path, reason).
        duplicates: Groups of identical images; two labels first, then two splits.
        shared_patients: (patient, splits) of those in more than one split.
        level: How bad the worst finding is; "unsplit" where no split is possible.
        verdict: Whether what is learnt can be trusted to be new on the test images.
        from_headers: Images whose patient stands in their DICOM header, or in a
            table beside them.
        volumes: Files that hold several slices, frames or pages.
        seen: How the automatic window shows scans, in words -> images.
        baseline_ties: Other classes with as many training images.
        multi_label: Whether classes are findings, of which an image may have several
            or none; `images` then counts one for each of its findings, and those
            without as `NO_FINDING`. Baseline and imbalance are of no meaning.
        images_of_split: Split -> images; empty in reports of earlier versions.
        combinations: (label of several findings, images), the commonest first.
    """

    fingerprint: str
    images: dict[str, dict[str, int]]
    patients: dict[str, dict[str, int]]
    splits: list[str]
    drawn: list[str]
    num_images: int
    num_patients: int
    without_patient: int
    patient_examples: list[tuple[str, str]]
    sizes: list[tuple[int, int, int]]
    num_sizes: int
    smallest: tuple[int, int]
    largest: tuple[int, int]
    modes: dict[str, int]
    baseline_class: str
    baseline: float
    imbalance: float
    unreadable: list[tuple[str, str]]
    ignored: list[tuple[str, str]]
    duplicates: list[Duplicates]
    shared_patients: list[tuple[str, list[str]]]
    level: Level
    verdict: str
    from_headers: int = 0
    volumes: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    baseline_ties: list[str] = field(default_factory=list)
    multi_label: bool = False
    images_of_split: dict[str, int] = field(default_factory=dict)
    combinations: list[tuple[str, int]] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """Names of the classes, sorted."""
        return list(self.images)

    @property
    def sample_size_warnings(self) -> list[str]:
        """What there are too few images for, a sentence each."""
        if self.multi_label:
            return findings_warnings(self.images, self.images_of_split)
        return dataset_warnings(self.images)


@speaking(SOURCE)  # The report is kept.
def examine(index: Index, split_table: pd.DataFrame) -> DatasetReport:
    """Counts, compares and judges.

    Args:
        index: The data set.
        split_table: What `splits.assign_splits` made of it.
    """
    readable = index.readable
    names = [name for name in SPLITS if name in set(split_table["split"])]
    known = split_table[split_table["patient"] != ""]
    counted = row_per_finding(split_table) if index.multi_label else split_table
    classes = sorted(set(counted["label"]))
    train = Counter(counted.loc[counted["split"] == "train", "label"])
    test = split_table.loc[split_table["split"] == "test", "label"]
    # With several findings on one image there is no class to predict always.
    commonest, *ties = [""] if index.multi_label else _commonest(train, Counter(test))
    broken = index.table[index.table["error"] != ""]
    duplicates = _duplicates(readable, split_table)
    shared = _shared_patients(known)
    from_headers = set(readable["patient"]) - {""}
    several = readable["frames"] > 1
    guessed = int((known["patient"] == known["path"].map(patient_stand_in)).sum())
    level, verdict = _verdict(duplicates, shared, (len(known), guessed), split_table)
    certain = [(name, parts) for name, parts in shared if name in from_headers]
    if certain and level != "problem":
        level, verdict = _same_people(certain)
    examples = split_table.iloc[:: max(1, len(split_table) // 5)][:5]
    sizes = Counter(zip(readable["width"], readable["height"], strict=True))
    modes = Counter(readable["format"] + ", " + readable["mode"])
    return DatasetReport(
        fingerprint=index.fingerprint,
        images=_count(counted, classes, names),
        patients=_count(_row_per_patient(counted), classes, names),
        splits=names,
        drawn=[name for name in names if name not in set(readable["split"])],
        num_images=len(split_table),
        num_patients=known["patient"].nunique(),
        without_patient=len(split_table) - len(known),
        patient_examples=_pairs(examples["path"], examples["patient"]),
        sizes=[(int(w), int(h), n) for (w, h), n in sizes.most_common(12)],
        num_sizes=len(sizes),
        smallest=(int(readable["width"].min()), int(readable["height"].min())),
        largest=(int(readable["width"].max()), int(readable["height"].max())),
        modes=dict(modes.most_common()),
        baseline_class=commonest,
        baseline=float((test == commonest).mean()) if len(test) else 0.0,
        imbalance=max(train.values()) / min(train.values()),
        unreadable=_pairs(broken["path"], broken["error"]),
        ignored=_pairs(index.ignored["path"], index.ignored["reason"]),
        duplicates=duplicates,
        shared_patients=shared,
        level=level,
        verdict=verdict,
        from_headers=int((readable["patient"] != "").sum()),
        volumes=readable.loc[several, "path"].map(file_of).nunique(),
        seen=dict(Counter(readable.loc[readable["seen"] != "", "seen"]).most_common()),
        baseline_ties=ties,
        multi_label=index.multi_label,
        images_of_split={n: int((split_table["split"] == n).sum()) for n in names},
        combinations=_combinations(split_table) if index.multi_label else [],
    )


def _row_per_patient(counted: pd.DataFrame) -> pd.DataFrame:
    known = counted[counted["patient"] != ""]
    return known.drop_duplicates(["label", "split", "patient"])


def _commonest(train: Counter[str], test: Counter[str]) -> list[str]:
    """The commonest training classes, those with more test images first.

    Of equally common classes none is the majority: a model must beat each of them.
    """
    most = max(train.values())
    names = [name for name, count in train.items() if count == most]
    return sorted(names, key=lambda name: (-test[name], name))


def _combinations(table: pd.DataFrame) -> list[tuple[str, int]]:
    counts = Counter(table["label"]).most_common()
    several = [(label, n) for label, n in counts if len(split_findings(label)) > 1]
    return several[:_MOST_COMBINATIONS]


def _pairs(left: Iterable[str], right: Iterable[str]) -> list[tuple[str, str]]:
    return list(zip(left, right, strict=True))


def _count(
    table: pd.DataFrame, classes: list[str], splits: list[str]
) -> dict[str, dict[str, int]]:
    counts = Counter(zip(table["label"], table["split"], strict=True))
    return {label: {s: counts[label, s] for s in splits} for label in classes}


def _duplicates(readable: pd.DataFrame, split_table: pd.DataFrame) -> list[Duplicates]:
    rows = readable[["path", "digest"]].merge(split_table, on="path")
    rows = rows[rows.duplicated("digest", keep=False)].sort_values("path")
    groups = [
        Duplicates(
            group["path"].tolist(),
            sorted(set(group["label"])),
            [s for s in SPLITS if s in set(group["split"])],
        )
        for _, group in rows.groupby("digest", sort=False)
    ]
    return sorted(groups, key=lambda d: (-len(d.labels), -len(d.splits), d.paths))


def _shared_patients(known: pd.DataFrame) -> list[tuple[str, list[str]]]:
    pairs = known[["patient", "split"]].drop_duplicates()
    pairs = pairs[pairs.duplicated("patient", keep=False)]
    return [
        (str(patient), [s for s in SPLITS if s in set(group["split"])])
        for patient, group in pairs.groupby("patient")
    ]


def _verdict(
    duplicates: list[Duplicates],
    shared: list[tuple[str, list[str]]],
    patients: tuple[int, int],
    split_table: pd.DataFrame,
) -> tuple[Level, str]:
    """The worst finding in one sentence, and how bad it is.

    `patients` counts images whose patient is known, and those of them where a volume
    stands for a patient.
    """
    known, guessed = patients
    total = len(split_table)
    tested = set(split_table.loc[split_table["split"] == "test", "path"])
    into_test = [d for d in duplicates if "test" in d.splits and len(d.splits) > 1]
    across = [d for d in duplicates if len(d.splits) > 1]
    two_labels = [d for d in duplicates if len(d.labels) > 1]
    if into_test:
        copies = [path for d in into_test for path in d.paths if path in tested]
        return "problem", f"{_identical(len(copies), len(tested))} " + _(
            "Numbers that include such copies look better than they are; a run's are "
            "computed without them."
        )
    if across:
        return "warning", ngettext(
            "{count:,} image occurs in both training and validation, none of these is "
            "a test image: validation looks better than it is.",
            "{count:,} images occur in both training and validation, none of these is "
            "a test image: validation looks better than it is.",
            len(across),
        )
    if shared:
        return "warning", ngettext(
            "By their file names, {count:,} patient occurs in more than one split, "
            "though no image does: make sure that equal numbers there mean different "
            "people.",
            "By their file names, {count:,} patients occur in more than one split, "
            "though no image does: make sure that equal numbers there mean different "
            "people.",
            len(shared),
        )
    if two_labels:
        return "warning", ngettext(
            "No image occurs in two splits, but {count:,} image lies under two labels: "
            "at least one of the labels is wrong.",
            "No image occurs in two splits, but {count:,} images lie under two labels: "
            "at least one of the labels is wrong.",
            len(two_labels),
        )
    return "ok", _of_patients(known, guessed, total)


def _of_patients(known: int, guessed: int, total: int) -> str:
    """What holds where nothing was found, as far as patients are known.

    Args:
        known: Images whose patient is known.
        guessed: Those of them where a volume stands for a patient.
        total: All images.
    """
    if guessed:
        return ngettext(
            "No image occurs in two splits, and no volume is parted. Nobody told the "
            "patient of {count:,} image: each volume counts as one, so two volumes of "
            "one person may lie in two splits.",
            "No image occurs in two splits, and no volume is parted. Nobody told the "
            "patients of {count:,} images: each volume counts as one, so two volumes "
            "of one person may lie in two splits.",
            guessed + total - known,
        )
    if not known:
        return _(
            "No image occurs in two splits; the patients are unknown, so nobody can "
            "check whether one person's images do."
        )
    if known < total:
        return ngettext(
            "No image occurs in two splits; the patient of {count:,} image is "
            "unknown, so nobody can check whether one person's images do.",
            "No image occurs in two splits; the patients of {count:,} images are "
            "unknown, so nobody can check whether one person's images do.",
            total - known,
        )
    return _("No image and no patient occurs in two splits.")


def _identical(copies: int, tested: int) -> str:
    if tested == 1:
        return _("1 of 1 test image is identical to a training or validation image.")
    return ngettext(
        "{count:,} of {images:,} test images is identical to a training or validation "
        "image.",
        "{count:,} of {images:,} test images are identical to training or validation "
        "images.",
        copies,
        images=tested,
    )


def _same_people(shared: list[tuple[str, list[str]]]) -> tuple[Level, str]:
    tested = [patient for patient, parts in shared if "test" in parts]
    if tested:
        return "problem", ngettext(
            "By the file headers or a table, {count:,} patient has images in the "
            "test split and in training or validation: results on the test images will "
            "look better than they are.",
            "By the file headers or a table, {count:,} patients have images in the "
            "test split and in training or validation: results on the test images will "
            "look better than they are.",
            len(tested),
        )
    return "warning", ngettext(
        "By the file headers or a table, {count:,} patient has images in both "
        "training and validation, none of them in the test split: validation looks "
        "better than it is.",
        "By the file headers or a table, {count:,} patients have images in both "
        "training and validation, none of them in the test split: validation looks "
        "better than it is.",
        len(shared),
    )
