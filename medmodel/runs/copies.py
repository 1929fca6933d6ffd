"""Leakage: test images of a run that are copies of images the model was made with.

A model may remember a copy, so metrics are computed without them. Copies that are equal
pixel by pixel are told by the digests in split.csv; near copies by copies.csv, which is
written with the split. Of a test on another folder, copies.json has both, of all images
of the model's own data set. Runs of earlier versions lack one or all of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from medmodel.core.storage import damaged, read_as, write_json, write_rows
from medmodel.language import _, join_sentences, ngettext
from medmodel.runs.run import Run
from medmodel.runs.tables.cells import read_cells, read_header
from medmodel.runs.tables.findings import read_findings
from medmodel.runs.tables.predictions import read_predictions
from medmodel.runs.tables.segmentation import read_segmentation

if TYPE_CHECKING:
    import pandas as pd

LEFT_OUT = "copy"
"""What `independent_predictions` calls the split of test images that are copies."""
_LEARNED = ("train", "val")
_COLUMNS = ("path",)


@dataclass(frozen=True)
class Copies:
    """Which test images are copies of training or validation images.

    Args:
        images: Test images in all.
        identical: Paths of those that equal one pixel by pixel; None if unknown.
        near: Paths of those that show the same, at another size for instance; None if
            nobody looked for them.
        external: Whether the test images are of another folder, so that copies of all
            images of the model's own data set count, its test images among them.
    """

    images: int
    identical: frozenset[str] | None
    near: frozenset[str] | None
    external: bool = False

    @property
    def paths(self) -> frozenset[str]:
        """All of them that are known."""
        return (self.identical or frozenset()) | (self.near or frozenset())

    @property
    def all_are_copies(self) -> bool:
        """Whether no test image is left without them."""
        return 0 < self.images == len(self.paths)

    def __str__(self) -> str:
        """What is known, in one or two sentences."""
        if self.identical is None and not self.near:
            return self.unknown
        counted = self._counted() if self.paths else self._none()
        return join_sentences(filter(None, (counted, self.unknown)))

    @property
    def unknown(self) -> str:
        """What of copies is not known, and why, as a sentence; empty where all is."""
        if self.identical is None and not self.near:
            return (
                _(
                    "Whether test images are copies of images of the model's own data "
                    "set was not checked: that data set was not here, or an earlier "
                    "version made this test."
                )
                if self.external
                else _(
                    "Whether test images are copies of training or validation images "
                    "is not known for this run."
                )
            )
        if self.near is not None:
            return ""
        if self.external:
            return _(
                "Near copies could not be looked for: the model's own data set was "
                "not here."
            )
        return _("Near copies were not looked for in this run.")

    def _none(self) -> str:
        if self.external:
            return (
                _(
                    "No identical copy of an image of the model's own data set was "
                    "found among the test images."
                )
                if self.near is None
                else _(
                    "No copy of an image of the model's own data set was found among "
                    "the test images."
                )
            )
        return (
            _(
                "No identical copy of a training or validation image was found among "
                "the test images."
            )
            if self.near is None
            else _(
                "No copy of a training or validation image was found among the test "
                "images."
            )
        )

    def _counted(self) -> str:
        kinds = [
            _("{copies:,} identical", copies=len(self.identical or ())),
            _("{copies:,} near", copies=len(self.near or ())),
        ]
        values = {
            "images": self.images,
            "kinds": _(", ").join(
                kind
                for kind, paths in zip(kinds, (self.identical, self.near), strict=True)
                if paths
            ),
            "consequence": self._consequence(),
        }
        if self.external:
            return ngettext(
                "{count:,} of {images:,} test images is a copy of images of the "
                "model's own data set ({kinds}): {consequence}",
                "{count:,} of {images:,} test images are copies of images of the "
                "model's own data set ({kinds}): {consequence}",
                len(self.paths),
                **values,
            )
        return ngettext(
            "{count:,} of {images:,} test images is a copy of training or validation "
            "images ({kinds}): {consequence}",
            "{count:,} of {images:,} test images are copies of training or validation "
            "images ({kinds}): {consequence}",
            len(self.paths),
            **values,
        )

    def _consequence(self) -> str:
        if self.all_are_copies:
            return _("the numbers show what was remembered, not how new images fare.")
        left = self.images - len(self.paths)
        return _("the numbers are of the other {images:,}.", images=left)


def pooled_copies(folds: Sequence[Copies]) -> Copies:
    """The same of all test images of a cross-validation, each of which is in one fold.

    Args:
        folds: Of each fold. What is known of some of them alone is counted.
    """
    identical = [c.identical for c in folds if c.identical is not None]
    near = [c.near for c in folds if c.near is not None]
    return Copies(
        images=sum(copies.images for copies in folds),
        identical=frozenset().union(*identical) if identical else None,
        near=frozenset().union(*near) if near else None,
        external=any(copies.external for copies in folds),
    )


class ComparedCopies(NamedTuple):
    """What is to be known of copies where models are compared, each a sentence or "".

    Args:
        left_out: How many test images are copies, of each model.
        remembered: Which models were tested on nothing else.
        unknown: What is not known, and of which models.
    """

    left_out: str
    remembered: str
    unknown: list[str]


def compared_copies(models: Mapping[str, Sequence[Copies]]) -> ComparedCopies:
    """The sentences on copies in a comparison.

    Args:
        models: Name of each model -> of its run, or of the runs of its folds.
    """
    pooled = {name: pooled_copies(of_model) for name, of_model in models.items()}
    counts = {name: len(copies.paths) for name, copies in pooled.items()}
    named = ", ".join(f"{name}: {count:,}" for name, count in counts.items() if count)
    remembered = [name for name, copies in pooled.items() if copies.all_are_copies]
    of_models: dict[str, list[str]] = {}
    for name, of_model in models.items():
        for sentence in dict.fromkeys(copies.unknown for copies in of_model):
            of_models.setdefault(sentence, []).append(name)
    left_out = _(
        "Test images that are copies of a model's training or validation "
        "images, or in an external test of any image of the model's own data "
        "set: {models}. They are left out, unless a model was tested on "
        "nothing else.",
        models=named,
    )
    only = _(
        "Tested on nothing but copies: {models}. These numbers show what "
        "was remembered, not how new images fare.",
        models="; ".join(remembered),
    )
    unknown = [
        _("{models}: {sentence}", models="; ".join(of), sentence=sentence)
        for sentence, of in of_models.items()
        if sentence
    ]
    return ComparedCopies(left_out * bool(named), only * bool(remembered), unknown)


@dataclass(frozen=True)
class ExternalCopies:
    """What copies.json of a test on another folder holds.

    Args:
        identical: Paths of test images that equal an image of the model's own data
            set pixel by pixel; None if that could not be checked.
        near: Paths of those that show the same; None if that could not be checked.
    """

    identical: list[str] | None
    near: list[str] | None


def near_copies(split_table: pd.DataFrame, groups: Sequence[Sequence[str]]) -> set[str]:
    """Test images that look like a training or validation image but do not equal one.

    Args:
        split_table: As from `read_split`, with digests.
        groups: Paths of images that look alike; of identical ones one stands for all.
    """
    digests = dict(zip(split_table["path"], split_table["digest"], strict=True))
    learned = set(split_table.loc[split_table["split"].isin(_LEARNED), "digest"])
    near: set[str] = set()
    for group in groups:
        alike = {digests[path] for path in group if path in digests}
        if alike & learned:
            near |= alike - learned
    tested = split_table[split_table["split"] == "test"]
    return set(tested.loc[tested["digest"].isin(near), "path"])


def write_near_copies(run: Run, paths: set[str]) -> None:
    """Writes copies.csv, entirely or not at all."""
    write_rows(run.folder / "copies.csv", _COLUMNS, [[path] for path in sorted(paths)])


def write_external_copies(run: Run, copies: ExternalCopies) -> None:
    """Writes copies.json of a test on another folder."""
    write_json(_external_path(run), copies)


def has_near_copies(run: Run) -> bool:
    """Whether near copies were looked for in this run."""
    return (run.folder / "copies.csv").exists()


def copies_of(run: Run) -> Copies:
    """Which test images of a run are copies of what it was trained or chosen with.

    Raises:
        FileError: A table of the run is damaged.
    """
    config, table = run.config, run.predictions_path
    if config.segments or config.multi_label:
        table = run.segmentation_path if config.segments else run.findings_path
    rows = read_cells(table, "path", "split")
    return copies_among(run, {path for path, split in rows if split == "test"})


def copies_among(run: Run, tested: Set[str]) -> Copies:
    """The same, of paths of test images that were read already."""
    external = bool(run.tested_model)
    identical, near = _external(run) if external else (_identical(run), _near(run))
    return Copies(
        images=len(tested),
        identical=None if identical is None else identical & tested,
        near=None if near is None else near & tested,
        external=external,
    )


def _external(run: Run) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    copies = read_as(_external_path(run), ExternalCopies)
    if copies is None:  # of an earlier version
        return None, None
    return (
        None if copies.identical is None else frozenset(copies.identical),
        None if copies.near is None else frozenset(copies.near),
    )


def _external_path(run: Run) -> Path:
    return run.folder / "copies.json"


def image_digests(run: Run) -> dict[str, str]:
    """Path of each image of a run's split -> digest of its pixels, where known."""
    rows = read_cells(run.split_path, "path", "digest")
    return {path: digest for path, digest in rows if digest}


def _identical(run: Run) -> frozenset[str] | None:
    rows = list(read_cells(run.split_path, "path", "split", "digest"))
    learned = {digest for _, split, digest in rows if split in _LEARNED} - {""}
    if not learned:  # of an earlier version
        return None
    return frozenset(
        path for path, split, digest in rows if split == "test" and digest in learned
    )


def _near(run: Run) -> frozenset[str] | None:
    path = run.folder / "copies.csv"
    if not path.exists():
        return None
    if read_header(path) != [*_COLUMNS]:
        raise damaged(path, _("it has no column path"))
    return frozenset(cells[0] for cells in read_cells(path, *_COLUMNS))


def independent_predictions(run: Run) -> pd.DataFrame:
    """The run's predictions; test images that are copies have the split `LEFT_OUT`.

    Where all test images are copies they stay: there is nothing else to show.

    Raises:
        RunError: There are none, or they cannot be read.
        FileError: split.csv or copies.csv is damaged.
    """
    return leave_out_copies(read_predictions(run), copies_of(run).paths)


def independent_segmentation(run: Run) -> pd.DataFrame:
    """The same of a run that outlines: its rows of segmentation.csv.

    Raises:
        RunError: There are none, or they cannot be read.
        FileError: split.csv or copies.csv is damaged.
    """
    return leave_out_copies(read_segmentation(run), copies_of(run).paths)


def independent_findings(run: Run) -> pd.DataFrame:
    """The same of a run on several findings: its rows of findings.csv.

    Raises:
        RunError: There are none, or they cannot be read.
        FileError: split.csv or copies.csv is damaged.
    """
    return leave_out_copies(read_findings(run), copies_of(run).paths)


def leave_out_copies(table: pd.DataFrame, paths: Set[str]) -> pd.DataFrame:
    """A table of images whose test images that are copies have another split.

    Args:
        table: Has columns `path` and `split`.
        paths: Those of the copies; where no other test image is there, all stay.
    """
    selected = (table["split"] == "test") & table["path"].isin(paths)
    if not selected.any() or selected.sum() == (table["split"] == "test").sum():
        return table
    return table.assign(split=table["split"].mask(selected, LEFT_OUT))


def with_copies(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with all test images under `test` again."""
    return table.assign(split=table["split"].replace(LEFT_OUT, "test"))
