"""What a model says of image files: each opened in the sandbox, asked, judged."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from medmodel.cli.output import progress_bar, say
from medmodel.core import audit
from medmodel.core.errors import DataError, ImageError, PredictionError, os_reason
from medmodel.core.regular_files import open_regular
from medmodel.language import _, translate
from medmodel.runs.run import Run

if TYPE_CHECKING:
    from medmodel.evaluation.image_prediction import Prediction
    from medmodel.imaging.untrusted import OpenedImage

_SCANS = ("DICOM", "NIfTI")
_LOGGED = 2000
"""Bytes of the predictor's log that are looked at where it fails."""


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

    @property
    def unlike_training(self) -> bool | None:
        """Whether it is unlike the training data; None where that is not known."""
        from medmodel.reports.ood_sentences import is_unlike_training

        if self.prediction is None or self.prediction.ood is None:
            return None
        return is_unlike_training(self.prediction.ood, self.split)


def ask_about(run: Run, images: tuple[Path, ...], anyway: bool) -> list[ImageAnswer]:
    """The answers, in the order of the files.

    Args:
        run: The model's run.
        images: Files; one that is named twice is asked about once.
        anyway: Whether probabilities are wanted of images that are unlike the
            training data, too.

    Raises:
        RunError: The run has no model.
        PredictionError: The model could not answer.
    """
    from medmodel.evaluation.predictions import training_digests

    opened: dict[Path, tuple[OpenedImage, int]] = {}
    errors: dict[Path, str] = {}
    with progress_bar() as show:
        for number, path in enumerate(dict.fromkeys(images)):
            show(number / len(images), _("Reading images"))
            try:
                opened[path] = open_for_run(run, path)
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
    if anyway and (count := sum(bool(a.unlike_training) for a in answers.values())):
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
                multi_label=run.config.multi_label,
            )
        except PredictionError as error:
            raise PredictionError("\n".join([str(error), *last_lines(log)])) from error
        finally:
            predictor.close()
    audit.record("predict", run=run.id, images=len(images))
    return predictions


def last_lines(log: IO[bytes]) -> list[str]:
    """What a predictor logged last, for the message of its failure."""
    log.seek(0)
    return log.read()[-_LOGGED:].decode("utf-8", "replace").splitlines()[-5:]


def open_for_run(run: Run, path: Path) -> tuple[OpenedImage, int]:
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
                reason=os_reason(error),
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
    split = digests.get(pixel_digest_of(path, image), "")
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


def pixel_digest_of(path: Path, image: OpenedImage) -> str:
    """As in the index of a data set: of a scan as it opens by itself."""
    from medmodel.imaging.untrusted import open_image

    if image.decoded.format not in _SCANS:
        return image.digest
    with open_regular(path) as file:
        return open_image(file.read(), path.name).digest


def say_withheld(answer: ImageAnswer) -> None:
    """Why a file has no probabilities: it cannot be read, or is unlike the training."""
    if answer.error:
        say(f"{answer.file}: {answer.error}", to_errors=True)
        return
    nothing = _("Unlike the training data: no prediction is shown.")
    say(f"{answer.file}: {nothing} {answer.withheld}")
    say("  " + _("Show it nevertheless: --anyway"))


def beside_sentences(answer: ImageAnswer) -> list[str]:
    """What must be known beside the probabilities of whatever model."""
    sentences, prediction = [], answer.prediction
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
    elif prediction is None or prediction.ood is None:
        sentences.append(
            translate(prediction.ood_problem if prediction else "")
            or _("Whether it resembles the training data is not known.")
        )
    elif answer.unlike_training:
        sentences.append(_("It is unlike the training data."))
    return sentences
