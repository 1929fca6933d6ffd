"""Makes the map of a data set: `python -m medmodel.inference.embedding FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from medmodel.core.errors import DataError
from medmodel.core.job import Job
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.datasets import load_index
from medmodel.data.prepared import prepare
from medmodel.language import _
from medmodel.quality.embedding_map import (
    EmbeddingMap,
    map_task,
    mapped_rows,
    project,
    save_map,
)

SIZE = 96
"""Pixels a side at which images are compared: enough to tell kinds of images apart."""


def make_map(folder: Path, job: Job) -> EmbeddingMap:
    """The map of a checked data set.

    Args:
        folder: The data set.
        job: Told what is done: preparing, features, then the projection.

    Raises:
        DataError: It was not checked, or none of its images can be read.
        OSError: The disk is full or fails.
    """
    # Not above: the processes that decode images import this module, too.
    from medmodel.networks import features

    index = load_index(folder)
    if index is None:
        raise DataError(
            _("{folder} was not checked yet: check it first.", folder=folder.name)
        )
    rows = mapped_rows(index.readable)
    preprocessing = Preprocessing(size=SIZE)
    prepared = prepare(folder, rows, preprocessing, job)
    table = features.extract(prepared, preprocessing, job=job)
    job.progress("mapping", 0, len(table))
    paths = [str(path) for path in prepared.table["path"]]
    return EmbeddingMap(index.fingerprint, paths, project(np.asarray(table)))


def main() -> None:
    """Makes the map of the folder named on the command line."""
    folder = Path(sys.argv[1]).resolve()
    task = map_task(folder)

    def work() -> None:
        made = make_map(folder, task.job())
        save_map(folder, made)
        count = len(made.paths)
        task.write("finished", done=count, total=count)

    task.run(work)


if __name__ == "__main__":
    main()
