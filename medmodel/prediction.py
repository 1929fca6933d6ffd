"""From pixels to probabilities: one compiled call, the same for tables and uploads."""

from __future__ import annotations

import contextlib
import functools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

# Loading a saved model needs the layers that are registered there.
from medmodel import models  # noqa: F401
from medmodel.errors import PredictionError
from medmodel.runs import ModelFacts, Run

# A compiled graph per size of batch; others are filled up, so nothing is retraced.
BUCKETS = (1, 8, 32)
_precision_lock = threading.Lock()


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to answer.

    Args:
        model: uint8 pixels (n, height, width, channels) to probabilities
            (n, num_classes), in float32 whatever it was trained in.
        facts: Class names and preprocessing.
        call: The model, compiled; takes batches of the sizes in `BUCKETS`.
    """

    model: keras.Model
    facts: ModelFacts
    call: Callable[[tf.Tensor], tf.Tensor]


def load(run: Run) -> Loaded:
    """Loads the best model of a run.

    Raises:
        RunError: The run has no model yet.
        PredictionError: The file is damaged.
    """
    facts = run.model_facts
    try:
        saved = keras.models.load_model(run.model_path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise PredictionError(
            f"The model of run {run.title} cannot be loaded: {run.model_path.name} is "
            "damaged or was written by another version. Train it again."
        ) from error
    model = in_float32(saved)
    return Loaded(model, facts, compiled(model))


def compiled(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """The model as a graph; traced once for each size of batch."""

    @functools.cache
    def graph(batch: int) -> Callable[[tf.Tensor], tf.Tensor]:
        signature = tf.TensorSpec((batch, *model.input_shape[1:]), tf.uint8)
        function = tf.function(lambda pixels: model(pixels, training=False))
        return function.get_concrete_function(signature)

    return lambda pixels: graph(int(pixels.shape[0]))(pixels)


def in_float32(model: keras.Model) -> keras.Model:
    """The same weights computing in float32.

    Half precision rounds differently in batches of different sizes: one image would
    get other probabilities alone than in a table. Weights are float32 in either case.
    """
    config = json.dumps(model.get_config())
    exact = config.replace("mixed_bfloat16", "float32").replace(
        "mixed_float16", "float32"
    )
    if exact == config:
        return model
    copy = type(model).from_config(json.loads(exact))
    copy.set_weights(model.get_weights())
    return copy


def predict(loaded: Loaded, images: np.ndarray) -> np.ndarray:
    """Probabilities of every class.

    An image's row is the same to 1e-5 whatever is asked together with it.

    Args:
        loaded: The model.
        images: uint8 (n, height, width, channels), prepared as `loaded.facts` says.

    Returns:
        float32 (n, num_classes), rows add up to 1.

    Raises:
        PredictionError: The images have another shape than the model's input.
    """
    expected = loaded.facts.preprocessing.shape
    if images.ndim != 4 or images.shape[1:] != expected or images.dtype != np.uint8:
        raise PredictionError(
            f"The model takes uint8 images of shape {expected}; "
            f"{images.dtype} {images.shape[1:]} was given."
        )
    scores = np.empty((len(images), len(loaded.facts.class_names)), np.float32)
    with _exact_multiplication():
        for start, count, bucket in batches(len(images)):
            batch = np.zeros((bucket, *expected), np.uint8)
            batch[:count] = images[start : start + count]
            answer = loaded.call(tf.constant(batch))
            scores[start : start + count] = answer.numpy()[:count]
    return scores


def batches(count: int) -> Iterator[tuple[int, int, int]]:
    """Cuts `count` images into (start, how many, size of the batch that takes them)."""
    start = 0
    while start < count:
        left = count - start
        bucket = next((size for size in BUCKETS if size >= left), BUCKETS[-1])
        taken = min(left, bucket)
        yield start, taken, bucket
        start += taken


@contextlib.contextmanager
def _exact_multiplication() -> Iterator[None]:
    """Switches off TensorFloat-32, whose 10 bits depend on the batch on GPUs."""
    with _precision_lock:
        before = tf.config.experimental.tensor_float_32_execution_enabled()
        tf.config.experimental.enable_tensor_float_32_execution(False)
        try:
            yield
        finally:
            tf.config.experimental.enable_tensor_float_32_execution(before)
