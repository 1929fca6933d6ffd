"""Row on batches: speed against the bare model, memory from image 1,000 on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from medmodel.batch import table
from medmodel.batch.decoding import BLOCK, decoded_blocks
from medmodel.batch.images import BatchImage, list_images
from medmodel.benchmark import Measurement, at_least, at_most
from medmodel.benchmark.pairs import PAIRS, PairedRatio
from medmodel.benchmark.servers import temporary_workspace
from medmodel.benchmark.time_left import watched
from medmodel.core.config import config_for
from medmodel.core.environment import workspace_root
from medmodel.core.job import UNATTENDED, Job
from medmodel.data.synthetic import ensure_sample_dataset
from medmodel.inference import batch_prediction, prediction
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.training import input_size

IMAGES = int(os.environ.get("MEDMODEL_BATCH_IMAGES", "10000"))
_BARE = 512
_FIRST = 1000
"""Images after which memory is measured first: by then everything is loaded."""
_CALM = 2.0
"""Seconds in which the block that is decoded ahead is finished before the model is
measured alone."""


@dataclass
class Turns:
    """Looks at a batch after each of its blocks; now and then the model is asked alone.

    The block behind such a pause was decoded during it, but while it is answered the
    next one is decoded: each block is measured with the decoding of one.

    Args:
        alone: Measures images/s of the model alone.
        total: Images of the batch.
        with_batch: Images/s of the stretches between pauses.
        bare: Images/s of the model alone, at the pause behind each.
        memory: (finished images, bytes of this process and its children).
    """

    alone: Callable[[], float]
    total: int
    with_batch: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    memory: list[tuple[int, int]] = field(default_factory=list)
    _began: tuple[int, float] | None = None

    def look(self, phase: str, done: int, total: int) -> None:
        """To be told the batch's progress."""
        self.memory.append((done, _memory()))
        if self._began is None:
            # The first blocks compile, and nothing was decoded ahead of them.
            if done >= 2 * BLOCK:
                self._began = done, time.perf_counter()
            return
        due = (self.total - 2 * BLOCK) // (PAIRS + 1)
        if done - self._began[0] >= max(due, BLOCK) and done < total:
            seconds = time.perf_counter() - self._began[1]
            self.with_batch.append((done - self._began[0]) / seconds)
            time.sleep(_CALM)
            self.bare.append(self.alone())
            self._began = done, time.perf_counter()


def batch() -> list[Measurement]:
    """Images/s of a batch / of the model alone; memory at the end / at the first look.

    In one process, in turns.
    """
    with temporary_workspace():
        sample = ensure_sample_dataset()
        watched(config_for("instant", str(sample), size=input_size.USUAL, epochs=5))
        model = RunStore().list()[0]
        folder = _copies(sample, workspace_root() / "datasets" / "many", IMAGES)
        images = list_images(folder, model.model_facts.class_names)
        pixels = _pixels(model, folder, images[:_BARE])
        loaded = prediction.load(model)
        prediction.predict(loaded, pixels[:64])
        turns = Turns(lambda: _bare_speed(loaded, pixels), IMAGES)
        path = folder.parent / table.FILE
        batch_prediction.predict_images(model, folder, images, path, Job(turns.look))
    speed = PairedRatio(turns.with_batch, turns.bare)
    first = next(m for m in turns.memory if m[0] >= min(_FIRST, IMAGES // 4))
    largest = max(m[1] for m in turns.memory if m[0] >= first[0])
    memory = (
        f"{largest / 2**20:.0f} MiB at most, {first[1] / 2**20:.0f} MiB at image "
        f"{first[0]:,}, of {IMAGES:,}"
    )
    note = f"{IMAGES:,} images, {speed.note('images/s')}"
    return [
        at_least("batch", speed.median, 0.8, note=note),
        at_most("batch_memory", largest / first[1], 1.1, note=memory),
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
    began = time.perf_counter()
    prediction.predict(loaded, pixels)
    return len(pixels) / (time.perf_counter() - began)


def _memory() -> int:
    """Bytes of this process and its children, as far as they are still there."""
    process, total = psutil.Process(), 0
    for each in [process, *process.children(recursive=True)]:
        try:
            total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
