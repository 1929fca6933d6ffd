"""Asks a run's model about corrupted test images, in a process of its own.

`python -m medmodel.inference.corrupt_and_predict RUN` writes corruptions.npz.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.core.job import Job
from medmodel.data.folders import safe_folder
from medmodel.data.prepared import prepare
from medmodel.evaluation.robustness.corruption_test import (
    MOST_IMAGES,
    corruption_task,
    write_corruption_test,
)
from medmodel.imaging.corruptions import CORRUPTIONS, STRENGTHS
from medmodel.language import _
from medmodel.runs.copies import independent_predictions
from medmodel.runs.run import Run


def corrupt_and_predict(run: Run, job: Job, most: int = MOST_IMAGES) -> None:
    """Predicts test images as they are and after every corruption.

    Corruptions are applied to what the model sees: the image at the size of its input.
    Copies of training images are left out, as wherever a metric stands.

    Args:
        run: A run with a model and test images that are still there.
        job: Told ("corrupting", done, total), in passes over the images.
        most: Images at most; drawn from the test split, always the same.

    Raises:
        DataError: There is no test image, or none can be read.
        RunError: The run has no predictions or no model.
        Cancelled: By the job.
        OSError: The disk is full or fails.
    """
    from medmodel.inference import prediction

    table = independent_predictions(run)
    test = table[table["split"] == "test"].drop_duplicates("path")
    if test.empty:
        raise DataError(_("There is no test image."))
    chosen = test.sample(min(most, len(test)), random_state=0).sort_index()
    loaded = prediction.load(run)
    folder = safe_folder(run.config.dataset)
    preprocessing = loaded.facts.preprocessing
    prepared = prepare(folder, chosen, preprocessing, job)
    images = np.asarray(prepared.pixels)
    total = 1 + len(CORRUPTIONS) * STRENGTHS
    job.progress("corrupting", 0, total)
    clean = prediction.predict(loaded, images)
    scores, examples = {}, {}
    for place, key in enumerate(CORRUPTIONS):
        at_strengths, first = [], []
        for strength in range(1, STRENGTHS + 1):
            job.check()
            job.progress("corrupting", place * STRENGTHS + strength, total)
            corrupted = corrupted_images(images, key, strength)
            at_strengths.append(prediction.predict(loaded, corrupted))
            first.append(corrupted[0])
        scores[key], examples[key] = np.stack(at_strengths), np.stack(first)
    paths = prepared.table["path"].tolist()
    write_corruption_test(run, paths, clean, scores, examples)


def corrupted_images(
    images: NDArray[np.uint8], key: str, strength: int
) -> NDArray[np.uint8]:
    """Every image after one corruption, uint8 (n, height, width, channels).

    Args:
        images: uint8 (n, height, width, channels).
        key: Of `CORRUPTIONS`.
        strength: 1 to `STRENGTHS`.
    """
    corruption = CORRUPTIONS[key]
    return np.stack(
        [corruption.apply(image, strength, seed) for seed, image in enumerate(images)]
    )


def main() -> None:
    """Tests the model of the run that the command line names."""
    run = Run(Path(sys.argv[1]).resolve())
    task = corruption_task(run)

    def work() -> None:
        corrupt_and_predict(run, task.job())
        task.write("finished")

    task.run(work)


if __name__ == "__main__":
    main()
