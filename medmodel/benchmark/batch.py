"""Row on batches: speed against the bare model, memory from image 1,000 on."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import psutil

from medmodel.batch import table
from medmodel.batch.decoding import decoded_blocks
from medmodel.batch.images import BatchImage, list_images
from medmodel.benchmark import Measurement, at_least, at_most
from medmodel.benchmark.servers import temporary_workspace
from medmodel.benchmark.time_left import watched
from medmodel.core.config import config_for
from medmodel.core.environment import workspace_root
from medmodel.core.job import UNATTENDED, Job
from medmodel.data.synthetic import ensure_sample_dataset
from medmodel.inference import batch_prediction, prediction
from medmodel.runs.run import Run, RunStore
from medmodel.training import input_size

IMAGES = int(os.environ.get("MEDMODEL_BATCH_IMAGES", "10000"))
_BARE = 512
_FIRST = 1000
"""Images after which memory is measured first: by then everything is loaded."""

Look = tuple[int, float, int]
"""(finished images, seconds, bytes of this process and its children)."""


def batch() -> list[Measurement]:
    """Images/s of a batch / of the model alone; memory at the end / at the first look.

    All in one process, the model alone once before and once after.
    """
    with temporary_workspace():
        sample = ensure_sample_dataset()
        watched(config_for("instant", str(sample), size=input_size.USUAL, epochs=5))
        model = RunStore().list()[0]
        folder = _copies(sample, workspace_root() / "datasets" / "many", IMAGES)
        images = list_images(folder, model.model_facts.class_names)
        pixels = _pixels(model, folder, images[:_BARE])
        loaded = prediction.load(model)
        before = _bare_speed(loaded, pixels)
        looks = _looks(model, folder, images)
        after = _bare_speed(loaded, pixels)
    first = next(look for look in looks if look[0] >= min(_FIRST, IMAGES // 4))
    last = looks[-1]
    speed = (last[0] - first[0]) / (last[1] - first[1])
    bare = (before + after) / 2
    note = (
        f"{IMAGES:,} images: {speed:.0f} / {bare:.0f} images/s ({before:.0f} before, "
        f"{after:.0f} after)"
    )
    largest = max(look[2] for look in looks if look[0] >= first[0])
    memory = (
        f"{largest / 2**20:.0f} MiB at most, {first[2] / 2**20:.0f} MiB at image "
        f"{first[0]:,}, of {IMAGES:,}"
    )
    return [
        at_least("batch", speed / bare, 0.8, note=note),
        at_most("batch_memory", largest / first[2], 1.1, note=memory),
    ]


def _copies(sample: Path, folder: Path, count: int) -> Path:
    """A folder with so many files: names of the sample's images, each many times."""
    folder.mkdir()
    files = sorted(sample.glob("*/*.png"))
    for number in range(count):
        source = files[number % len(files)]
        os.link(source, folder / f"{number:06}.png")
    return folder


def _pixels(model: Run, folder: Path, images: list[BatchImage]) -> np.ndarray:
    preprocessing = model.model_facts.preprocessing
    blocks = decoded_blocks(images, folder, preprocessing, model.folder, UNATTENDED)
    return np.concatenate([np.array(block.pixels) for block in blocks])


def _bare_speed(loaded: prediction.LoadedModel, pixels: np.ndarray) -> float:
    prediction.predict(loaded, pixels[:64])
    started = time.perf_counter()
    for _round in range(2):
        prediction.predict(loaded, pixels)
    return 2 * len(pixels) / (time.perf_counter() - started)


def _looks(model: Run, folder: Path, images: list[BatchImage]) -> list[Look]:
    looks: list[Look] = []

    def look(phase: str, done: int, total: int) -> None:
        looks.append((done, time.perf_counter(), _memory()))

    path = folder.parent / table.FILE
    batch_prediction.predict_images(model, folder, images, path, Job(look))
    return looks


def _memory() -> int:
    """Bytes of this process and its children, as far as they are still there."""
    process, total = psutil.Process(), 0
    for each in [process, *process.children(recursive=True)]:
        try:
            total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
