"""Asks a model about a batch of images, as many as there are, in little memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from medmodel.batch import jobs, outlines, table
from medmodel.batch.decoding import BLOCK, Block, decoded_blocks
from medmodel.batch.images import BatchImage, list_images, told_findings
from medmodel.batch.table import ImageRow
from medmodel.core.errors import Cancelled, RunError
from medmodel.core.job import Job
from medmodel.data.folders import safe_folder
from medmodel.evaluation.ood.fitting import one_thread
from medmodel.evaluation.ood.results import OodResult
from medmodel.evaluation.predictions import training_digests
from medmodel.inference import batch_outlines, ood_features, prediction
from medmodel.inference.prediction import LoadedModel
from medmodel.language import _
from medmodel.networks.hardware import choose_devices
from medmodel.reports import ood_sentences
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.progress.time_plan import batch_plan
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus

OUTLINED_AT_ONCE = 32
"""Images between two reports of progress of a segmentation."""


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
    # Classes of pixels are none that a folder of images may be called after, and one
    # word says not which of several findings an image has.
    named = model.config.metric == "accuracy"
    classes = model.model_facts.class_names if named else []
    images = list_images(folder, classes, jobs.batch_request(batch).table)
    if model.config.multi_label:
        images = told_findings(images, folder, model.model_facts.class_names)
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
        path: The table, see `batch.table` and `batch.outlines`; the pixels lie beside
            it meanwhile, and a segmentation's masks for good.
        job: Told ("predicting", done, total).

    Raises:
        RunError: The run has no model.
        PredictionError: The model is damaged.
        FileError: The table is another one's.
        Cancelled: By the job; the lines that are there stay.
        OSError: The disk is full or fails.
    """
    loaded = prediction.load(model)
    outlining = model.config.segments
    classes = loaded.facts.class_names
    if outlining:
        outlines.check_classes(path, classes[1:])
    else:
        table.check_classes(path, classes)
    answered = table.answered_paths(path)
    left = [image for image in images if image.path not in answered]
    digests = training_digests(model)
    done, total = len(images) - len(left), len(images)
    job.progress("predicting", done, total)
    preprocessing = loaded.facts.preprocessing
    blocks = decoded_blocks(
        left, folder, preprocessing, path.parent, job, measured=outlining
    )
    # Beside the decoders, which use all cores, a block's distances take several times
    # the processor time where BLAS's threads wait for each other.
    with one_thread():
        for block in _pieces(blocks, OUTLINED_AT_ONCE if outlining else BLOCK):
            job.check()
            rows, scores = _answer(loaded, block, digests)
            if outlining:
                batch_outlines.append(path, loaded.facts, block.facts, rows, scores)
            else:
                table.append(path, classes, _scored(rows, scores))
            done += len(block.images)
            job.progress("predicting", done, total)


def _pieces(blocks: Iterable[Block], size: int) -> Iterator[Block]:
    """Blocks in parts: a segmentation has a score for each class of each pixel."""
    for block in blocks:
        for start in range(0, len(block.images), size):
            part = slice(start, start + size)
            yield Block(block.images[part], block.facts[part], block.pixels[part])


def _scored(rows: Sequence[ImageRow], scores: np.ndarray) -> list[ImageRow]:
    """The lines with the scores of those that could be read."""
    of_readable = iter(scores.tolist())
    return [
        row if row.problem else replace(row, scores=next(of_readable)) for row in rows
    ]


def _answer(
    loaded: LoadedModel, block: Block, digests: Mapping[str, str]
) -> tuple[list[ImageRow], np.ndarray]:
    """The lines of a block, in its order, and the scores of those that can be read."""
    readable = [at for at, fact in enumerate(block.facts) if not fact.problem]
    whole = len(readable) == len(block.images)
    pixels = block.pixels if whole else block.pixels[readable]
    detector = loaded.detector
    results: list[OodResult | None] = [None] * len(readable)
    if detector is None or not readable:
        scores = prediction.predict(loaded, pixels)
    else:
        scores, features = _scores_and_features(loaded, pixels)
        vectors = ood_features.detector_vectors(detector, pixels, features)
        traits = [block.facts[at].traits for at in readable]
        results[:] = detector.compare(vectors, traits, neighbours=False)
    compared = dict(zip(readable, results, strict=True))
    outlining = bool(loaded.facts.mask_values)
    rows = [
        _row(block, at, compared.get(at), digests, outlining)
        for at in range(len(block.images))
    ]
    return rows, scores


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
    result: OodResult | None,
    digests: Mapping[str, str],
    outlining: bool,
) -> ImageRow:
    """What is known of an image beside its scores."""
    fact, label = block.facts[at], block.images[at].label
    if fact.problem:
        return ImageRow(fact.path, label, fact.problem)
    split = digests.get(fact.digest, "")
    unlike = ood_sentences.is_unlike_training(result, split) if result else None
    return ImageRow(
        path=fact.path,
        label=label,
        split=split,
        frame=fact.frame,
        frames=fact.frames,
        unlike_training=unlike,
        farther_than=result.farther_than if result else None,
        distance=result.distance if result else None,
        why_unlike=ood_sentences.why_unlike_training(result, outlining)
        if result and unlike
        else "",
    )
