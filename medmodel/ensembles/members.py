"""Which runs can be the members of an ensemble, and on what it is judged.

An ensemble holds a copy of its members' networks: they may be deleted afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from medmodel.core import audit
from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError, RunError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.network_names import MODEL_NAMES
from medmodel.core.settings.recipes import ENSEMBLE
from medmodel.data.splits import SPLITS
from medmodel.language import N_, _
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import Ensemble
from medmodel.runs.tables.split import read_split

if TYPE_CHECKING:
    import pandas as pd

FEWEST, MOST = 2, 10
_SHARED = {
    "fit": N_("Fit to the input size"),
    "window": N_("Window of scans"),
    "steps": N_("Enhancement steps"),
    "axis": N_("Axis along which volumes are cut"),
    "frame": N_("Frame"),
}
"""What of the preprocessing all members must have in common; size and colour of the
larger ones can be brought to those of the others."""


def submit(members: Sequence[Run], store: RunStore, name: str = "") -> Run:
    """Puts an ensemble of finished runs into the queue.

    Args:
        members: The runs.
        store: Where it becomes a run.
        name: What it is called; may be empty.

    Raises:
        RunError: They cannot be averaged, or the workspace cannot be written.
        DataError: No image was kept from all of them.
    """
    common_split(members)
    config = ensemble_config(members, name)
    asked = Ensemble({run.id: run.title for run in members})
    made = store.create(config, {"ensemble.json": asdict(asked)})
    audit.record("ensemble", run=made.id, members=" ".join(asked.members))
    queue.notify_queue(store)
    return made


def ensemble_config(members: Sequence[Run], name: str = "") -> TrainConfig:
    """The settings of an ensemble: those of its members' data set and images.

    Args:
        members: As `check_members` allows them.
        name: What it is called; may be empty.
    """
    first, images = members[0].config, common_preprocessing(members)
    # Some are networks of frozen training alone.
    models = [run.config.model for run in members]
    networks = [model for model in models if model in MODEL_NAMES]
    return TrainConfig(
        dataset=first.dataset,
        name=name.strip(),
        recipe=ENSEMBLE,
        model=networks[0] if networks else TrainConfig.model,
        # Not frozen: what enters its last layer are no features of an image.
        training="fine_tune",
        size=images.size,
        fit=images.fit,
        colour=images.colour,
        window=images.window,
        steps=images.steps,
        class_weights=False,
        seed=first.seed,
        val_fraction=first.val_fraction,
        test_fraction=first.test_fraction,
        patient_pattern=first.patient_pattern,
    )


def common_preprocessing(members: Sequence[Run]) -> Preprocessing:
    """How an image becomes the input of an ensemble: as large as its largest member's.

    Args:
        members: As `check_members` allows them.
    """
    every = [run.model_facts.preprocessing for run in members]
    coloured = any(images.colour == "rgb" for images in every)
    return replace(
        every[0],
        size=max(images.size for images in every),
        colour="rgb" if coloured else "grey",
    )


def check_members(members: Sequence[Run]) -> None:
    """Refuses runs whose probabilities cannot be averaged.

    Raises:
        RunError: One of them cannot be a member, or they do not fit each other.
    """
    if not FEWEST <= len(members) <= MOST:
        raise RunError(
            _(
                "An ensemble has between {fewest} and {most} members: {count:,} were "
                "chosen.",
                fewest=FEWEST,
                most=MOST,
                count=len(members),
            )
        )
    if len({run.id for run in members}) < len(members):
        raise RunError(_("A run can be a member of an ensemble only once."))
    for run in members:
        _check_member(run)
    first = members[0]
    for other in members[1:]:
        _check_alike(first, other)


def _check_member(run: Run) -> None:
    run.check_classifies()
    problem = _problem(run)
    if problem:
        raise RunError(problem)


def _problem(run: Run) -> str:
    """Why a run cannot be a member, as a sentence; "" where it can."""
    title = run.title
    if run.imported:
        return _(
            "{title} is an imported model: it cannot be a member of an ensemble, since "
            "its training images are not known.",
            title=title,
        )
    if run.tested_model:
        return _(
            "{title} is an external test: choose the run whose model was tested.",
            title=title,
        )
    if run.ensemble:
        return _("{title} is an ensemble itself: choose its members.", title=title)
    if (
        run.status.state.active
        or not run.has_model
        or not run.predictions_path.exists()
    ):
        return _(
            "{title} is not finished: only finished runs can be members of an "
            "ensemble.",
            title=title,
        )
    return ""


def _check_alike(first: Run, other: Run) -> None:
    """Refuses two runs of other classes, data sets or preprocessing."""
    titles = {"first": first.title, "other": other.title}
    if first.config.dataset != other.config.dataset:
        raise RunError(
            _("{first} and {other} learned from different data sets.", **titles)
        )
    facts, others = first.model_facts, other.model_facts
    if facts.class_names != others.class_names:
        raise RunError(_("{first} and {other} know different classes.", **titles))
    if facts.flips != others.flips:
        raise RunError(
            _(
                "{first} and {other} are averaged over different mirror images.",
                **titles,
            )
        )
    for name, setting in _SHARED.items():
        if getattr(facts.preprocessing, name) != getattr(others.preprocessing, name):
            raise RunError(
                _(
                    "{first} and {other} see different images: “{setting_word}” "
                    "differs.",
                    setting_word=_(setting),
                    **titles,
                )
            )


def common_split(members: Sequence[Run]) -> pd.DataFrame:
    """The split on which an ensemble is judged.

    An image from which one member learned is a training image; of the others one by
    which a member was chosen is a validation image; test images are those that all
    members had as such.

    Args:
        members: The runs.

    Returns:
        As from `read_split`.

    Raises:
        RunError: They cannot be averaged.
        DataError: They had different images, or kept none from all of them.
    """
    check_members(members)
    tables = [read_split(run).set_index("path", drop=False) for run in members]
    # Of runs of earlier versions the images themselves are not known, only their paths.
    at = next((at for at, each in enumerate(tables) if "digest" in each), 0)
    table = tables[at]
    ranks = table["split"].map(SPLITS.index)
    for run, other in zip(members, tables, strict=True):
        _check_same_images((members[at], table), (run, other))
        ranks = ranks.combine(other["split"].map(SPLITS.index), min)
    common = table.assign(split=[SPLITS[int(rank)] for rank in ranks])
    _check_held_out(common, tables)
    return common.reset_index(drop=True)


def _check_same_images(
    first: tuple[Run, pd.DataFrame], other: tuple[Run, pd.DataFrame]
) -> None:
    """Refuses splits of other images, or of the same with other labels."""
    titles = {"first": first[0].title, "other": other[0].title}
    table, rows = first[1], other[1].reindex(first[1].index)
    both = "digest" in table and "digest" in rows
    if (
        len(other[1]) != len(table)
        or rows["label"].isna().any()
        or (both and not rows["digest"].equals(table["digest"]))
    ):
        raise DataError(
            _(
                "{first} and {other} learned from different images: the data set has "
                "changed between them.",
                **titles,
            )
        )
    if not rows["label"].equals(table["label"]):
        raise DataError(
            _(
                "{first} and {other} learned with different labels of the same images: "
                "labels have been corrected or changed between them.",
                **titles,
            )
        )


def _check_held_out(table: pd.DataFrame, splits: Sequence[pd.DataFrame]) -> None:
    """Refuses where a class that members held out was held out by not all of them.

    A class of which no member had a test image is missing here as it is there.
    """
    for split in ("val", "test"):
        had = {label for each in splits for label in _labels_of(each, split)}
        missing = had - _labels_of(table, split)
        if missing:
            raise DataError(
                _(
                    "These runs learned from one another's test or validation images: "
                    "of {classes} no image was kept from all of them, so nothing could "
                    "say how good their ensemble is. Choose runs with the same split: "
                    "the same seed, no folds.",
                    classes=", ".join(sorted(missing)),
                )
            )


def _labels_of(table: pd.DataFrame, split: str) -> set[str]:
    return set(table.loc[table["split"] == split, "label"])
