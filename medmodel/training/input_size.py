"""Input size of the frozen network, chosen by a pilot on validation images.

A larger image shows more and costs more. A pilot on a few hundred images tells
whether it pays; its answer is kept, so that the next run begins at once.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medmodel.core.environment import workspace_root
from medmodel.core.job import Job
from medmodel.core.storage import read_if_whole, write_json
from medmodel.data.datasets import Index
from medmodel.data.prepared import prepare
from medmodel.language import _
from medmodel.model_import.encoder_note import noted_encoder
from medmodel.networks import features
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.training.context import TrainingContext, class_names
from medmodel.training.multi_label.sigmoid_head import head_trainer

if TYPE_CHECKING:
    import pandas as pd

SMALL, USUAL, LARGE, LARGEST = 96, 128, 224, 320
"""Pixels. 224 takes three times as long as 128, and 320 six times."""
MARGIN = 0.05
"""Log loss by which the larger size must be better: it then gives the right class a
probability that is 5 % higher."""
PILOT = {"train": 500, "val": 250}
"""Images of the pilot."""
PILOT_PASSES = 30


@dataclass(frozen=True)
class InputSizeChoice:
    """The size of a run's images.

    Args:
        size: Height and width in pixels.
        reason: Why, as one sentence.
    """

    size: int
    reason: str


def choose_size(
    run: Run, reporter: StatusWriter, index: Index, table: pd.DataFrame
) -> InputSizeChoice:
    """The size that the settings name, or that validation data chooses.

    Only training and validation images are looked at.

    Args:
        run: The run.
        reporter: Told about progress.
        index: The data set.
        table: Columns path, label, patient, split.

    Raises:
        Cancelled: Somebody asked to stop.
        WeightsError: The encoder is missing or another one than at first.
        DataError: No image of the pilot can be read.
        OSError: The disk is full or fails.
    """
    encoder = noted_encoder(run)
    if encoder is not None:
        return InputSizeChoice(
            encoder.size, _("{side} px: what the encoder takes.", side=encoder.size)
        )
    size = run.config.size
    if size:
        return InputSizeChoice(size, _("{side} px: chosen in the settings.", side=size))
    native = _usual_side(index)
    smaller, larger = candidates(native)
    if smaller == larger:
        return InputSizeChoice(
            smaller,
            _(
                "{side} px: the images have {native:.0f} px.",
                side=smaller,
                native=native,
            ),
        )
    cache = _cache_file(run, index)
    choice = read_if_whole(cache, InputSizeChoice)
    if choice is not None:
        return choice
    rows = sorted(_drawn(table, run.config.seed))
    pilot = table.iloc[rows].reset_index(drop=True)
    done, total = 0, sum(_cost(len(rows), size) for size in (smaller, larger))
    losses = {}
    for size in (smaller, larger):
        job = _told(reporter, size, (done, total), len(rows))
        losses[size] = _pilot(run, reporter, index, (pilot, size), job)
        done += _cost(len(rows), size)
        reporter.progress("pilot", done, total)
    size_choice = larger_if_better(losses)
    write_json(cache, size_choice)
    return size_choice


def candidates(native: float) -> tuple[int, int]:
    """The two sizes to try, the smaller first; twice the same where none is in doubt.

    Args:
        native: Usual longer side of the images in pixels.
    """
    if native < (SMALL + USUAL) / 2:
        return SMALL, USUAL
    if native < (USUAL + LARGE) / 2:
        return USUAL, USUAL
    return USUAL, LARGE if native < (LARGE + LARGEST) / 2 else LARGEST


def larger_if_better(losses: Mapping[int, np.ndarray]) -> InputSizeChoice:
    """The larger size if it pays for its time.

    Args:
        losses: Size in pixels, the smaller first -> (n,) log losses of the same
            validation images.
    """
    (smaller, small), (larger, large) = losses.items()
    gain = (small - large).mean()
    taken, other = (larger, smaller) if gain > MARGIN else (smaller, larger)
    values = {
        "side": taken,
        "other": other,
        "loss": losses[taken].mean(),
        "other_loss": losses[other].mean(),
    }
    reason = (
        _(
            "{side} px: validation chose it over {other} px, log loss {loss:.2f} "
            "against {other_loss:.2f}, too little to pay for the time.",
            **values,
        )
        if 0 < gain <= MARGIN
        else _(
            "{side} px: validation chose it over {other} px, log loss {loss:.2f} "
            "against {other_loss:.2f}.",
            **values,
        )
    )
    return InputSizeChoice(taken, reason)


def _usual_side(index: Index) -> float:
    """Median of the images' longer sides in pixels."""
    return float(np.median(index.readable[["width", "height"]].max(axis=1)))


def _cost(images: int, size: int) -> int:
    """What trying a size costs, in units of a small image's way through the network.

    To prepare an image and to learn from it takes about as long as that.
    """
    return round(images * (2 + (size / USUAL) ** 2))


def _told(
    reporter: StatusWriter, size: int, place: tuple[int, int], images: int
) -> Job:
    """The work on one size as a part of the whole pilot.

    Args:
        reporter: Told about progress.
        size: In pixels.
        place: What the sizes before it cost, and all sizes, see `_cost`.
        images: How many images are tried.
    """
    before, total = place

    def progress(phase: str, done: int, count: int) -> None:
        cost = 0
        if phase == "preparing":
            cost = done
        elif phase == "features":
            cost = images + round(done * (size / USUAL) ** 2)
        reporter.progress("pilot", min(before + cost, total), total)
        reporter.update(
            message=_("Trying {side} px on {images} images.", side=size, images=images)
        )

    return Job(progress, reporter.job.cancelled)


def _pilot(
    run: Run,
    reporter: StatusWriter,
    index: Index,
    tried: tuple[pd.DataFrame, int],
    job: Job,
) -> np.ndarray:
    """Log losses of some validation images after learning from some training images.

    Args:
        run: The run.
        reporter: Whose curves are to begin anew afterwards.
        index: The data set.
        tried: The images' rows, and their size in pixels.
        job: Told about progress.
    """
    config = run.config
    pilot, size = tried
    preprocessing = config.preprocessing(size)
    prepared = prepare(index.folder, pilot, preprocessing, job)
    classes = class_names(prepared.table["label"], config.multi_label)
    context = TrainingContext(run, config, reporter, classes, preprocessing, prepared)
    trainer = head_trainer(context)
    features.extract(prepared, preprocessing, trainer.add_features, job)
    losses = trainer.solve(PILOT_PASSES)[1]
    # The curves shall show one training from its beginning, not the trials before it.
    reporter.rewind(0, 0)
    shutil.rmtree(prepared.folder, ignore_errors=True)
    return losses


def _drawn(table: pd.DataFrame, seed: int) -> Iterator[int]:
    """Row numbers of the pilot's images: at random, every class among them."""
    rng = np.random.default_rng(seed)
    for split, limit in PILOT.items():
        rows = np.flatnonzero((table["split"] == split).to_numpy())
        share = min(1.0, limit / max(len(rows), 1))
        labels = table["label"].to_numpy()[rows]
        for label in sorted(set(labels)):
            of_class = rng.permutation(rows[labels == label])
            yield from of_class[: max(2, round(share * len(of_class)))].tolist()


def _cache_file(run: Run, index: Index) -> Path:
    """Where the answer for this data set, split and look of the images is kept."""
    config = run.config
    names = (
        "fit",
        "colour",
        "window",
        "steps",
        "seed",
        "val_fraction",
        "test_fraction",
        "patient_pattern",
        "folds",
        "fold",
    )
    facts = {name: getattr(config, name) for name in names}
    facts |= {"images": index.fingerprint, "class_weights": config.class_weights}
    facts |= {"features": features.VERSION}
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]
    return workspace_root() / "prepared" / "sizes" / f"{digest}.json"
