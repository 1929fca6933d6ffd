"""Asks an exported model in a process of its own, by the program that will run it.

`python -m medmodel.inference.export_check FORMAT MODEL IMAGES.npy ANSWERS.npz`
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

TIMED = 20
"""Images asked one by one, of which the median time is taken, after two to warm up."""

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Answers:
    """What a model said, and what it cost.

    Args:
        probabilities: float32 (n, classes).
        latency: Seconds for one image, the median.
        memory: Bytes by which the process grew.
    """

    probabilities: NDArray[np.float32]
    latency: float
    memory: int

    def write(self, path: Path) -> None:
        """Writes them as .npz."""
        costs = np.array([self.latency, self.memory])
        np.savez(path, probabilities=self.probabilities, costs=costs)

    @staticmethod
    def read(path: Path) -> Answers:
        """What `write` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            latency, memory = arrays["costs"]
            return Answers(arrays["probabilities"], float(latency), int(memory))


def ask(key: str, path: Path, images: NDArray[np.uint8], model: Any = None) -> Answers:
    """Loads a model and asks it about images, in batches and one by one.

    Args:
        key: Of `formats.FORMATS`.
        path: The model.
        images: uint8 (n, height, width, channels).
        model: The Keras model, where it is loaded already.
    """
    process = psutil.Process()
    before = process.memory_info().rss
    predict = _of_keras(model) if model is not None else _LOADERS[key](path)
    for image in images[:2]:
        predict(image[None])
    seconds = []
    for image in images[:TIMED]:
        began = time.perf_counter()
        predict(image[None])
        seconds.append(time.perf_counter() - began)
    answers = np.concatenate(
        [predict(images[i : i + 8]) for i in range(0, len(images), 8)]
    )
    grown = max(0, process.memory_info().rss - before)
    return Answers(answers, float(np.median(seconds)), grown)


def _of_keras(model: Any) -> Predict:
    import tensorflow as tf

    call = tf.function(
        lambda pixels: model(pixels, training=False), reduce_retracing=True
    )
    return lambda images: call(tf.constant(images)).numpy()


def _load_keras(path: Path) -> Predict:
    import keras

    return _of_keras(keras.models.load_model(path, compile=False, safe_mode=True))


def _load_saved_model(path: Path) -> Predict:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda images: loaded.serve(tf.constant(images))["probabilities"].numpy()


def _load_onnx(path: Path) -> Predict:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["probabilities"], {"image": images})[0]


def _load_litert(path: Path) -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path)).get_signature_runner()
    return lambda images: runner(image=images)["probabilities"]


_LOADERS: dict[str, Callable[[Path], Predict]] = {
    "keras": _load_keras,
    "saved_model": _load_saved_model,
    "onnx": _load_onnx,
    "litert": _load_litert,
    "litert_int8": _load_litert,
}


def main() -> None:
    """Asks the model of the command line."""
    key, model, question, answers = sys.argv[1:5]
    images = np.load(question, allow_pickle=False)
    ask(key, Path(model), images).write(Path(answers))


if __name__ == "__main__":
    main()
