"""`medmodel predict`: what a model says of image files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medmodel.cli.output import json_option, print_json, progress_bar, say
from medmodel.cli.parameters import run_argument
from medmodel.core import audit
from medmodel.core.errors import DataError, ImageError, PredictionError
from medmodel.core.regular_files import open_regular
from medmodel.language import _, translate
from medmodel.runs.run import Run

if TYPE_CHECKING:
    from medmodel.evaluation.image_prediction import Prediction
    from medmodel.imaging.untrusted import OpenedImage

_SCANS = ("DICOM", "NIfTI")
_LOGGED = 2000
"""Bytes of the predictor's log that are looked at where it fails."""
_IMAGE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True)
class ImageAnswer:
    """What is known of one file.

    Args:
        file: As it was named.
        error: Why it cannot be read; "" if it can.
        prediction: What the model says; None where it was not asked.
        split: The split of the run that holds this very image, train or val, or "".
        withheld: Why its probabilities are not shown; "" if they are.
        frame: Which frame, page or slice was taken, from 0.
        frames: How many there are.
    """

    file: str
    error: str = ""
    prediction: Prediction | None = None
    split: str = ""
    withheld: str = ""
    frame: int = 0
    frames: int = 1


@click.command("predict")
@run_argument
@click.argument("images", type=_IMAGE, nargs=-1, required=True)
@click.option(
    "--anyway",
    is_flag=True,
    help="Show probabilities also of images that are unlike the training data.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    run: Run,
    images: tuple[Path, ...],
    anyway: bool,
    as_json: bool,
) -> None:
    """Ask a model about image files. Not for clinical use.

    PNG, JPEG, TIFF, DICOM, NIfTI and their kin. Of a file with several frames the one
    is taken that Diagnose takes. The exit status is 1 where a file cannot be read.
    """
    say(_("Not for clinical use."), to_errors=True)
    answers = _ask(run, images, anyway)
    if as_json:
        print_json(_values(run, answers))
    else:
        for answer in answers:
            _say_answer(answer)
    if any(answer.error for answer in answers):
        ctx.exit(1)


def _ask(run: Run, images: tuple[Path, ...], anyway: bool) -> list[ImageAnswer]:
    """The answers, in the order of the files; each file is opened in the sandbox."""
    from medmodel.evaluation.predictions import training_digests

    opened: dict[Path, tuple[OpenedImage, int]] = {}
    errors: dict[Path, str] = {}
    with progress_bar() as show:
        for number, path in enumerate(dict.fromkeys(images)):
            show(number / len(images), _("Reading images"))
            try:
                opened[path] = _open(run, path)
            except (ImageError, DataError) as error:
                errors[path] = translate(str(error))
        show(1.0, _("Asking the model …"))
        images_read = [image for image, _frame in opened.values()]
        predictions = _predictions(run, images_read) if opened else []
    by_path = dict(zip(opened, predictions, strict=True))
    digests = training_digests(run) if opened else {}
    answers = {
        path: _answer(path, image, by_path[path], digests, anyway)
        for path, image in opened.items()
    }
    if anyway and (count := sum(_is_unlike(a) for a in answers.values())):
        audit.record("nevertheless", run=run.id, images=count)
    failed = {path: ImageAnswer(str(path), error) for path, error in errors.items()}
    return [(answers | failed)[path] for path in images]


def _predictions(run: Run, images: list[OpenedImage]) -> list[Prediction]:
    """What the model says of each image, asked in a process that ends again.

    Raises:
        PredictionError: It could not answer; with what its process logged last.
    """
    import numpy as np

    from medmodel.evaluation.ood.traits import ImageTraits
    from medmodel.predictor import Predictor

    with tempfile.TemporaryFile() as log:
        predictor = Predictor(stderr=log.fileno())
        try:
            predictions = predictor.ask(
                run.id,
                np.stack([np.asarray(image.prepared) for image in images]),
                compare=[ImageTraits(**image.measured) for image in images],
            )
        except PredictionError as error:
            log.seek(0)
            lines = log.read()[-_LOGGED:].decode("utf-8", "replace").splitlines()
            raise PredictionError("\n".join([str(error), *lines[-5:]])) from error
        finally:
            predictor.close()
    audit.record("predict", run=run.id, images=len(images))
    return predictions


def _open(run: Run, path: Path) -> tuple[OpenedImage, int]:
    """A file as the run's model sees it, and which of its frames, from 0.

    Raises:
        ImageError: It cannot be read.
        DataError: It cannot be opened.
    """
    from medmodel.evaluation.ood.traits import image_traits
    from medmodel.imaging.untrusted import open_for_model

    try:
        with open_regular(path) as file:
            content = file.read()
    except OSError as error:
        raise DataError(
            _(
                "{name} cannot be opened: {reason}.",
                name=path.name,
                reason=error.strerror,
            )
        ) from error
    preprocessing = run.model_facts.preprocessing
    opened, frame = open_for_model(
        content, path.name, preprocessing, measure=image_traits
    )
    decoded = opened.decoded
    first = decoded.frames // 2 if decoded.format == "NIfTI" else 0
    # Of a DICOM file whose first frame is blank it is a later one.
    taken = max(frame, decoded.frame)
    return opened, taken if taken >= 0 else first


def _answer(
    path: Path,
    opened: tuple[OpenedImage, int],
    prediction: Prediction,
    digests: dict[str, str],
    anyway: bool,
) -> ImageAnswer:
    from medmodel.reports import ood_sentences

    image, frame = opened
    split = digests.get(_pixel_digest(path, image), "")
    withheld, ood = "", prediction.ood
    if ood and not anyway and ood_sentences.is_unlike_training(ood, split):
        withheld = ood_sentences.why_unlike_training(ood)
    return ImageAnswer(
        str(path),
        prediction=prediction,
        split=split,
        withheld=withheld,
        frame=frame,
        frames=image.decoded.frames,
    )


def _pixel_digest(path: Path, image: OpenedImage) -> str:
    """As in the index of a data set: of a scan as it opens by itself."""
    from medmodel.imaging.untrusted import open_image

    if image.decoded.format not in _SCANS:
        return image.digest
    with open_regular(path) as file:
        return open_image(file.read(), path.name).digest


def _is_unlike(answer: ImageAnswer) -> bool:
    from medmodel.reports.ood_sentences import is_unlike_training

    prediction = answer.prediction
    return prediction is not None and is_unlike_training(prediction.ood, answer.split)


def _values(run: Run, answers: list[ImageAnswer]) -> dict[str, Any]:
    """The answers as JSON has them."""
    temperatures = [a.prediction.temperature for a in answers if a.prediction]
    return {
        "run": run.id,
        "title": run.title,
        "calibrated": any(temperatures),
        "images": [_image_values(answer) for answer in answers],
    }


def _image_values(answer: ImageAnswer) -> dict[str, Any]:
    prediction = answer.prediction
    shown = prediction is not None and not answer.withheld
    probabilities = prediction.calibrated.tolist() if prediction and shown else []
    classes = prediction.classes if prediction else []
    by_class = dict(zip(classes, probabilities, strict=False)) if shown else None
    known = prediction is not None and prediction.ood is not None
    return {
        "file": answer.file,
        "error": answer.error or None,
        "predicted": max(by_class, key=by_class.__getitem__) if by_class else None,
        "probabilities": by_class,
        "unlike_training": _is_unlike(answer) if known else None,
        "withheld": answer.withheld or None,
        "split": answer.split or None,
        "frame": answer.frame,
        "frames": answer.frames,
    }


def _say_answer(answer: ImageAnswer) -> None:
    """The most probable class first, as Diagnose shows it."""
    from medmodel.reports.plots import per_cent

    prediction = answer.prediction
    if prediction is None:
        say(f"{answer.file}: {answer.error}", to_errors=True)
        return
    if answer.withheld:
        nothing = _("Unlike the training data: no prediction is shown.")
        say(f"{answer.file}: {nothing} {answer.withheld}")
        say("  " + _("Show it nevertheless: --anyway"))
        return
    pairs = zip(prediction.calibrated.tolist(), prediction.classes, strict=True)
    ordered = sorted(pairs, key=lambda pair: -pair[0])
    listed = ", ".join(f"{name} {per_cent(share)}" for share, name in ordered)
    say(f"{answer.file}: {listed}")
    for sentence in _beside(answer, prediction):
        say(f"  {sentence}")


def _beside(answer: ImageAnswer, prediction: Prediction) -> list[str]:
    """What must be known beside the probabilities, in sentences."""
    sentences = []
    if answer.frames > 1:
        sentences.append(
            _(
                "Image {number} of {count} in this file.",
                number=answer.frame + 1,
                count=answer.frames,
            )
        )
    if answer.split == "train":
        sentences.append(_("The model was trained on this very image."))
    elif answer.split == "val":
        sentences.append(_("This very image is one of the validation images."))
    elif prediction.ood is None:
        sentences.append(
            translate(prediction.ood_problem)
            or _("Whether it resembles the training data is not known.")
        )
    elif _is_unlike(answer):
        sentences.append(_("It is unlike the training data."))
    if prediction.temperature is None:
        sentences.append(_("These probabilities are not calibrated."))
    return sentences
