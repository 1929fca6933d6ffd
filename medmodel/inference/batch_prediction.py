"""Asks a model about a batch of images, as many as there are, in little memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from medmodel.batch import jobs, table
from medmodel.batch.decoding import Block, decoded_blocks
from medmodel.batch.images import BatchImage, list_images
from medmodel.batch.table import ImageRow
from medmodel.core.errors import Cancelled, RunError
from medmodel.core.job import Job
from medmodel.data.folders import safe_folder
from medmodel.evaluation.ood.fitting import one_thread
from medmodel.evaluation.ood.results import OodResult
from medmodel.evaluation.predictions import training_digests
from medmodel.inference import ood_features, prediction
from medmodel.inference.prediction import LoadedModel
from medmodel.language import _
from medmodel.networks.hardware import choose_devices
from medmodel.reports import ood_sentences
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus
from medmodel.runs.status_writer import StatusWriter
from medmodel.runs.time_plan import batch_plan


def work(batch: Run, reporter: StatusWriter) -> RunStatus:
    """Does a batch to its end, or goes on where it was; in this process.

    Args:
        batch: As from `jobs.submit`; this process holds its lock.
        reporter: Told everything; says when to stop.

    Returns:
        `DONE`, or `STOPPED` if somebody asked for that.

    Raises:
        DataError: The folder or the table cannot be used.
        RunError: The model is gone or has changed.
        OSError: The disk is full or fails.
    """
    model = jobs.model_of(batch)
    if model is None:
        raise RunError(_("The model of this batch was deleted: restore its run."))
    jobs.check_model(batch, model)
    device = choose_devices(batch.config.device)[1]
    reporter.update(device=device, epochs=0)
    reporter.progress("checking", 0, 0)
    folder = safe_folder(batch.config.dataset)
    images = list_images(
        folder, model.model_facts.class_names, jobs.batch_request(batch).table
    )
    workspace = batch.folder.parent.parent
    reporter.follow(batch_plan(batch.config, len(images), workspace))
    try:
        predict_images(model, folder, images, batch.folder / table.FILE, reporter.job)
    except Cancelled:
        return RunStatus.STOPPED
    return RunStatus.DONE


def predict_images(
    model: Run,
    folder: Path,
    images: Sequence[BatchImage],
    path: Path,
    job: Job,
) -> None:
    """Writes a line for each image that has none yet.

    Args:
        model: The run whose model is asked.
        folder: Where the images lie.
        images: All images of the batch.
        path: The table, see `batch.table`; the pixels lie beside it meanwhile.
        job: Told ("predicting", done, total).

    Raises:
        RunError: The run has no model.
        PredictionError: The model is damaged.
        FileError: The table is another one's.
        Cancelled: By the job; the lines that are there stay.
        OSError: The disk is full or fails.
    """
    loaded = prediction.load(model)
    classes = loaded.facts.class_names
    table.check_classes(path, classes)
    answered = table.answered_paths(path)
    left = [image for image in images if image.path not in answered]
    digests = training_digests(model)
    done, total = len(images) - len(left), len(images)
    job.progress("predicting", done, total)
    preprocessing = loaded.facts.preprocessing
    # Beside the decoders, which use all cores, a block's distances take several times
    # the processor time where BLAS's threads wait for each other.
    with one_thread():
        for block in decoded_blocks(left, folder, preprocessing, path.parent, job):
            job.check()
            table.append(path, classes, _answer(loaded, block, digests))
            done += len(block.images)
            job.progress("predicting", done, total)


def _answer(
    loaded: LoadedModel, block: Block, digests: Mapping[str, str]
) -> list[ImageRow]:
    """The lines of a block, in its order."""
    readable = [at for at, fact in enumerate(block.facts) if not fact.problem]
    rows = {
        at: ImageRow(fact.path, block.images[at].label, fact.problem)
        for at, fact in enumerate(block.facts)
        if fact.problem
    }
    if readable:
        rows |= _answer_readable(loaded, block, readable, digests)
    return [rows[at] for at in range(len(block.images))]


def _answer_readable(
    loaded: LoadedModel,
    block: Block,
    readable: Sequence[int],
    digests: Mapping[str, str],
) -> dict[int, ImageRow]:
    whole = len(readable) == len(block.images)
    pixels = block.pixels if whole else block.pixels[list(readable)]
    detector = loaded.detector
    results: list[OodResult | None] = [None] * len(readable)
    if detector is None:
        scores = prediction.predict(loaded, pixels)
    else:
        scores, features = _scores_and_features(loaded, pixels)
        vectors = ood_features.detector_vectors(detector, pixels, features)
        traits = [block.facts[at].traits for at in readable]
        results[:] = detector.compare(vectors, traits, neighbours=False)
    return {
        at: _row(block, at, scores[n], results[n], digests)
        for n, at in enumerate(readable)
    }


def _scores_and_features(
    loaded: LoadedModel, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if loaded.detector is not None and loaded.detector.own:
        return prediction.predict_with_features(loaded, pixels)
    scores = prediction.predict(loaded, pixels)
    return scores, scores


def _row(
    block: Block,
    at: int,
    scores: np.ndarray,
    result: OodResult | None,
    digests: Mapping[str, str],
) -> ImageRow:
    fact = block.facts[at]
    split = digests.get(fact.digest, "")
    unlike = ood_sentences.is_unlike_training(result, split) if result else None
    return ImageRow(
        path=fact.path,
        label=block.images[at].label,
        split=split,
        frame=fact.frame,
        frames=fact.frames,
        unlike_training=unlike,
        farther_than=result.farther_than if result else None,
        distance=result.distance if result else None,
        why_unlike=ood_sentences.why_unlike_training(result)
        if result and unlike
        else "",
        scores=scores.tolist(),
    )
