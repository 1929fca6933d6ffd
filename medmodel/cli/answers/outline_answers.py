"""How a model outlines image files: each opened in the sandbox, asked and judged."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medmodel.cli.answers.image_answers import last_lines, open_for_run, pixel_digest_of
from medmodel.cli.output import say
from medmodel.core import audit
from medmodel.core.errors import (
    DataError,
    FileError,
    ImageError,
    PredictionError,
    os_reason,
)
from medmodel.core.storage import replacing
from medmodel.language import _, translate
from medmodel.runs.run import Run

if TYPE_CHECKING:
    from medmodel.evaluation.image_prediction import Segmentation
    from medmodel.imaging.mask_values import Mask
    from medmodel.predictor import Predictor


@dataclass(frozen=True)
class OutlineAnswer:
    """What is known of one file.

    Args:
        file: As it was named.
        error: Why it cannot be read; "" if it can.
        pixels: Class -> pixels that belong to it, without the background; empty where
            nothing is shown.
        regions: Class -> its connected regions.
        unlike_training: Whether it is unlike the training data; None where that is not
            known.
        withheld: Why its outline is not shown; "" if it is.
        split: The split of the run that holds this very image, train or val, or "".
        mask: File to which the mask was written; "" for none.
    """

    file: str
    error: str = ""
    pixels: dict[str, int] = field(default_factory=dict)
    regions: dict[str, int] = field(default_factory=dict)
    unlike_training: bool | None = None
    withheld: str = ""
    split: str = ""
    mask: str = ""

    @property
    def values(self) -> dict[str, Any]:
        """As JSON has it."""
        shown = not self.error and not self.withheld
        return {
            "file": self.file,
            "error": self.error or None,
            "pixels": self.pixels if shown else None,
            "regions": self.regions if shown else None,
            "unlike_training": self.unlike_training,
            "withheld": self.withheld or None,
            "split": self.split or None,
            "mask": self.mask or None,
        }


def outline(
    run: Run, images: tuple[Path, ...], anyway: bool, masks: Path | None
) -> list[OutlineAnswer]:
    """The answers, in the order of the files.

    Args:
        run: The model's run.
        images: Files; one that is named twice is asked about once.
        anyway: Whether outlines are wanted of images that are unlike the training
            data, too.
        masks: Folder that gets a mask of each file as PNG; None for none.

    Raises:
        RunError: The run has no model.
        PredictionError: The model could not answer.
        FileError: A mask cannot be written.
    """
    from medmodel.evaluation.predictions import training_digests
    from medmodel.predictor import Predictor

    digests = training_digests(run)
    targets = _mask_files(images, masks) if masks else {}
    answers: dict[Path, OutlineAnswer] = {}
    with tempfile.TemporaryFile() as log:
        predictor = Predictor(stderr=log.fileno())
        try:
            for path in dict.fromkeys(images):
                target = targets.get(path)
                answers[path] = _outline(run, path, predictor, digests, anyway, target)
        except PredictionError as error:
            raise PredictionError("\n".join([str(error), *last_lines(log)])) from error
        finally:
            predictor.close()
    read = sum(not answer.error for answer in answers.values())
    audit.record("predict", run=run.id, images=read)
    if anyway and (count := sum(bool(a.unlike_training) for a in answers.values())):
        audit.record("nevertheless", run=run.id, images=count)
    return [answers[path] for path in images]


def _mask_files(images: tuple[Path, ...], folder: Path) -> dict[Path, Path]:
    """Image -> the file for its mask; numbered where two have one name."""
    from medmodel.imaging.mask_export import mask_name

    targets: dict[Path, Path] = {}
    taken: set[str] = set()
    for path in dict.fromkeys(images):
        name, number = mask_name(path.name), 2
        while name.casefold() in taken:
            name, number = mask_name(f"{path.name}_{number}"), number + 1
        taken.add(name.casefold())
        targets[path] = folder / name
    return targets


def _outline(
    run: Run,
    path: Path,
    predictor: Predictor,
    digests: dict[str, str],
    anyway: bool,
    target: Path | None,
) -> OutlineAnswer:
    from medmodel.evaluation.ood.traits import ImageTraits
    from medmodel.imaging.mask_values import class_map
    from medmodel.reports import ood_sentences

    try:
        opened = open_for_run(run, path)
    except (ImageError, DataError) as error:
        return OutlineAnswer(str(path), translate(str(error)))
    image, facts = opened[0], run.model_facts
    answer: Segmentation = predictor.segment(
        run.id, np.asarray(image.prepared), ImageTraits(**image.measured)
    )
    split = digests.get(pixel_digest_of(path, image), "")
    unlike = None
    if answer.ood is not None:
        unlike = ood_sentences.is_unlike_training(answer.ood, split)
        if unlike and not anyway:
            why = ood_sentences.why_unlike_training(answer.ood, outlines=True)
            return OutlineAnswer(
                str(path), unlike_training=True, withheld=why, split=split
            )
    shape = image.height, image.width
    classes = class_map(answer.scores, shape, facts.preprocessing.fit)
    return OutlineAnswer(
        str(path),
        **_counted(classes, facts.class_names),
        unlike_training=unlike,
        split=split,
        mask=_saved(classes, facts.mask_values, target) if target else "",
    )


def _counted(classes: Mask, names: list[str]) -> dict[str, Any]:
    from scipy.ndimage import label

    numbered = list(enumerate(names))[1:]
    return {
        "pixels": {name: int((classes == n).sum()) for n, name in numbered},
        "regions": {
            name: int(label(classes == n, np.ones((3, 3), bool))[1])
            for n, name in numbered
        },
    }


def _saved(classes: Mask, values: list[int], target: Path) -> str:
    """Writes the mask, wholly or not; returns its path.

    Raises:
        FileError: It cannot be written there.
    """
    from medmodel.imaging.mask_export import png_mask

    try:
        with replacing(target.absolute(), "wb") as file:
            file.write(png_mask(np.array(values, np.uint8)[classes]))
    except OSError as error:
        raise FileError(
            _(
                "{path} cannot be written: {reason}.",
                path=target,
                reason=os_reason(error),
            )
        ) from error
    return str(target)


def say_outline(answer: OutlineAnswer) -> None:
    """One file's answer as text."""
    if answer.error:
        say(f"{answer.file}: {answer.error}", to_errors=True)
        return
    if answer.withheld:
        nothing = _("Unlike the training data: no outline is shown.")
        say(f"{answer.file}: {nothing} {answer.withheld}")
        say("  " + _("Show it nevertheless: --anyway"))
        return
    parts = [
        _(
            "{name}: {pixels:,} pixels in {regions:,} regions",
            name=name,
            pixels=count,
            regions=answer.regions[name],
        )
        for name, count in answer.pixels.items()
    ]
    say(f"{answer.file}: {'; '.join(parts)}")
    if answer.split == "train":
        say("  " + _("The model was trained on this very image."))
    elif answer.unlike_training is None:
        say("  " + _("Whether it resembles the training data is not known."))
    elif answer.unlike_training:
        say("  " + _("It is unlike the training data."))
    if answer.mask:
        say("  " + _("Written: {path}", path=answer.mask))
