"""Feature extraction with the frozen network, cached on disk per prepared data set."""

from __future__ import annotations

import functools
import itertools
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from medmodel.core.errors import Cancelled, FileError
from medmodel.core.job import UNATTENDED, Job
from medmodel.core.locks import Lock
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.storage import file_digest, map_array, read_as, write_json
from medmodel.data.prepared import Prepared
from medmodel.language import _
from medmodel.networks import instant_onnx
from medmodel.networks.models import frozen_backbone

OnBatch = Callable[[np.ndarray, np.ndarray], None]

VERSION = 3
"""To be raised when `models.frozen_backbone` changes its numbers."""
_LITE0 = 2 * (2 * 24 + 2 * 40 + 3 * 80 + 3 * 112 + 4 * 192 + 320 + 1280)
_LITE2 = 2 * (3 * 24 + 3 * 48 + 4 * 88 + 4 * 120 + 5 * 208 + 352 + 1280)
COUNTS = {
    "efficientnet_lite0": _LITE0,
    "efficientnet_lite0_lite2": _LITE0 + _LITE2,
}
"""Numbers per image: roots of average and maximum of each channel at every depth."""
FEATURES = COUNTS["efficientnet_lite0"]
_SECONDS_BETWEEN_MARKS = 2.0
_building = threading.Lock()
"""Of several threads one builds the network."""
log = logging.getLogger("medmodel.networks.features")


@dataclass(frozen=True)
class FeatureNetwork:
    """A frozen network whose features are learned from.

    Args:
        name: Of its table of features: other weights, another name.
        count: Numbers for each image.
        batch: Images that it takes at once.
        compute: uint8 (batch, height, width, channels) -> float16 (batch, count).
        workers: Batches that are best computed at the same time.
    """

    name: str
    count: int
    batch: int
    compute: Callable[[np.ndarray], np.ndarray]
    workers: int = 1


def instant_network(
    preprocessing: Preprocessing, network: str = "efficientnet_lite0"
) -> FeatureNetwork:
    """The network of `models.frozen_backbone`, in the library that suits the device.

    Args:
        preprocessing: Of the images.
        network: Key of `lite.DEPTHS`.
    """
    size = _batch_size()

    def compute(pixels: np.ndarray) -> np.ndarray:
        with _building:
            ask = _compiled(preprocessing, size, network)
        return ask(pixels)

    at_once = 1 if _gpu_there() else instant_onnx.workers()
    name, count = f"{network}_{VERSION}", COUNTS[network]
    return FeatureNetwork(name, count, size, compute, at_once)


def extract(
    prepared: Prepared,
    preprocessing: Preprocessing,
    on_batch: OnBatch | None = None,
    job: Job = UNATTENDED,
    network: FeatureNetwork | None = None,
) -> np.ndarray:
    """The features of every prepared image; a killed extraction goes on where it was.

    Rows come in a fixed random order, so that classes and splits are mixed from the
    first batch and a linear layer can already learn from those that are there.

    Args:
        prepared: The pixels; features are cached in its folder.
        preprocessing: With which the pixels were prepared.
        on_batch: Called with row numbers (b,) and their features (b, d) for every row
            exactly once, cached or newly computed.
        job: Told ("features", done, total) after every batch.
        network: Whose features; by default that of the recipe "Instant".

    Returns:
        Read-only memory map, float16 (n, d), in the order of the prepared rows.

    Raises:
        Cancelled: By the job; what was computed is kept.
        OSError: The disk is full or fails.
    """
    network = network or instant_network(preprocessing)
    store = _Store(prepared.folder, len(prepared.pixels), network)
    lock = _wait_for_lock(store, job)
    try:
        done = store.trusted  # this much need not be computed
        job.progress("features", done, store.count)
        for rows, features in _batches(store, prepared.pixels, network):
            if on_batch:
                on_batch(rows, features)
            done = max(done, store.done)
            job.progress("features", done, store.count)
            if job.cancelled():
                store.mark()
                raise Cancelled(_("Computing features was given up on request."))
    finally:
        lock.release()
    return map_array(store.path, store.shape, "float16")


def cached(
    prepared: Prepared, network: FeatureNetwork
) -> tuple[np.ndarray, np.ndarray]:
    """The features that are there already, without computing any.

    Returns:
        Read-only float16 (n, d), and the rows of it that hold features, ascending.
    """
    store = _Store(prepared.folder, len(prepared.pixels), network)
    rows = np.sort(store.order[: store.trusted])
    path = store.path if store.path.exists() else store.partial
    if not len(rows) or not path.exists():
        return np.empty((0, network.count), np.float16), rows[:0]
    try:
        return map_array(path, store.shape, "float16"), rows
    except FileError:
        return np.empty((0, network.count), np.float16), rows[:0]


def warm(preprocessing: Preprocessing) -> None:
    """Builds and tries the network, so that the first extraction need not wait for it.

    Uses whatever TensorFlow finds to compute on.
    """
    size = _batch_size()
    blank = np.zeros((size, *preprocessing.shape), np.uint8)
    _compiled(preprocessing, size, "efficientnet_lite0")(blank)


def _batch_size() -> int:
    return 256 if _gpu_there() else 32


def _gpu_there() -> bool:
    # To list logical devices would fix TensorFlow's threads before a run is known.
    return bool(tf.config.get_visible_devices("GPU"))


def _batches(
    store: _Store, pixels: np.ndarray, network: FeatureNetwork
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    size = network.batch
    table = store.open()
    trusted = store.trusted
    for start in range(0, trusted, 1024):
        rows = store.order[start : min(start + 1024, trusted)]
        store.done = start + len(rows)
        yield rows, table[rows]
    if trusted == store.count:
        return
    marked = time.monotonic()
    for start, features in _computed_ahead(store, pixels, network):
        # Sorted, the rows of a batch are read in the order of the disk.
        rows = np.sort(store.order[start : start + size])
        table[rows] = features
        store.done = start + len(rows)
        if time.monotonic() - marked > _SECONDS_BETWEEN_MARKS:
            store.mark()
            marked = time.monotonic()
        # As they come from the cache: a layer that learns from them in portions shall
        # not depend on how many were there before.
        rows = store.order[start : start + size]
        yield rows, table[rows]
    store.finish()


def _computed_ahead(
    store: _Store, pixels: np.ndarray, network: FeatureNetwork
) -> Iterator[tuple[int, np.ndarray]]:
    """Where each batch begins in the order of rows, and features of its sorted rows.

    The next batches are computed while somebody learns from these.
    """

    def compute(start: int) -> np.ndarray:
        rows = np.sort(store.order[start : start + network.batch])
        batch = np.zeros((network.batch, *pixels.shape[1:]), np.uint8)
        batch[: len(rows)] = pixels[rows]
        return network.compute(batch)[: len(rows)]

    starts = iter(range(store.trusted, store.count, network.batch))
    threads = ThreadPoolExecutor(network.workers, thread_name_prefix="features")
    try:
        ahead = deque(
            (start, threads.submit(compute, start))
            for start in itertools.islice(starts, 2 * network.workers)
        )
        while ahead:
            start, answer = ahead.popleft()
            features = answer.result()
            following = next(starts, None)
            if following is not None:
                ahead.append((following, threads.submit(compute, following)))
            yield start, features
    finally:
        threads.shutdown(cancel_futures=True)


@functools.lru_cache(maxsize=1)
def _compiled(
    preprocessing: Preprocessing, batch: int, network: str
) -> Callable[[np.ndarray], np.ndarray]:
    """The frozen network for one size of batch, with float16 output."""
    if not _gpu_there():
        features = instant_onnx.instant_features(preprocessing, network)
        return lambda pixels: features(pixels).astype(np.float16)
    model = frozen_backbone(preprocessing, network)
    signature = [tf.TensorSpec((batch, *preprocessing.shape), tf.uint8)]

    def compute(pixels: tf.Tensor) -> tf.Tensor:
        return tf.cast(model(pixels, training=False), tf.float16)

    graph = tf.function(compute, input_signature=signature)
    return lambda pixels: np.asarray(graph(tf.constant(pixels)).numpy())


class _Store:
    """The files of one extraction: the table, and how much of it is to be trusted."""

    def __init__(self, folder: Path, count: int, network: FeatureNetwork) -> None:
        self.path = folder / f"features_{network.name}.npy"
        self.facts = self.path.with_suffix(".json")
        self.partial = folder / f".features_{network.name}.npy"
        self.marker = folder / f".features_{network.name}.json"
        self.lock = Lock(folder / "features.lock")
        self.count = count
        self.shape = (count, network.count)
        self.order = np.random.default_rng(0).permutation(count)
        self.done = 0
        self._table: np.memmap | None = None

    @property
    def trusted(self) -> int:
        """How many rows of `order` were safely on disk when last marked."""
        if self.path.exists():
            return self.count
        try:
            done = (read_as(self.marker, dict[str, int]) or {}).get("done", 0)
        except FileError:
            return 0
        return done if 0 <= done <= self.count else 0

    def open(self) -> np.ndarray:
        """The whole table, or the one to be filled on."""
        if self.path.exists():
            try:
                table = map_array(self.path, self.shape, "float16")
                expected = read_as(self.facts, dict[str, str]) or {}
                if expected.get("sha256") in (None, file_digest(self.path)):
                    return table
            except FileError:
                pass
            log.warning("%s is damaged, and is made anew.", self.path)
            self.path.unlink()
        if self.trusted == 0 or not self.partial.exists():
            self._make_partial()
        try:
            self._table = map_array(self.partial, self.shape, "float16", "r+")
        except FileError:
            self._make_partial()
            self._table = map_array(self.partial, self.shape, "float16", "r+")
        return self._table

    def mark(self) -> None:
        """Trusts the rows that are done, once they are on the disk."""
        if self._table is not None:
            self._table.flush()
            write_json(self.marker, {"done": max(self.done, self.trusted)})

    def finish(self) -> None:
        """Gives the complete table its name."""
        if self._table is not None:
            self._table.flush()
        self.facts.unlink(missing_ok=True)
        digest = file_digest(self.partial)
        self.partial.replace(self.path)
        write_json(self.facts, {"sha256": digest})
        self.marker.unlink(missing_ok=True)

    def _make_partial(self) -> None:
        self.marker.unlink(missing_ok=True)
        np.lib.format.open_memmap(self.partial, "w+", np.float16, self.shape).flush()
        # A write to a memory map on a full disk kills the process; this raises.
        with self.partial.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, self.partial.stat().st_size)


def _wait_for_lock(store: _Store, job: Job) -> Lock:
    """Waits while another run computes the same features."""
    while not store.lock.acquire(wait=0.3):
        job.progress("features", store.trusted, store.count)
        job.check()
    return store.lock
