"""From pixels to probabilities: one compiled call, the same for tables and uploads.

`python -m medmodel.inference.prediction FD` is the predictor process: it answers the
messages that come through the socket FD until the other end is closed (see
`predictor`).
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import re
import socket
import sys
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
import tensorflow as tf

from medmodel.core.config import Augmentation
from medmodel.core.errors import MedModelError, PredictionError
from medmodel.core.messages import Command, Message, receive, send
from medmodel.evaluation.ood import NAME as REFERENCE
from medmodel.evaluation.ood import ImageTraits, OodDetector

# Loading a saved model needs the layers that are registered there.
from medmodel.inference import attribution, class_activation, ood_features
from medmodel.inference.activations import layer_activations
from medmodel.networks import pipeline
from medmodel.runs.run import ModelFacts, Run

# A compiled graph per size of batch; others are filled up, so nothing is retraced.
BUCKETS = (1, 8, 32)
NICENESS = 5
# Graphs and activations of a model, beside its weights.
ALLOWANCE_BYTES = 64 << 20
_precision_lock = threading.Lock()


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to answer.

    Args:
        model: uint8 pixels (n, height, width, channels) to probabilities
            (n, num_classes), in float32 whatever it was trained in.
        facts: Class names and preprocessing.
        call: The model, compiled; takes batches of the sizes in `BUCKETS`.
        reference: What is known of its training images; None for older runs.
    """

    model: keras.Model
    facts: ModelFacts
    call: Callable[[tf.Tensor], tf.Tensor]
    reference: OodDetector | None = None

    @functools.cached_property
    def explain(self) -> class_activation.Explainer:
        """HiResCAM of this model, compiled when first used."""
        usual = ood_features.usual_features(self.reference)
        layers = self.facts.heatmap_layers
        return class_activation.explainer(self.model, layers, True, usual)

    @functools.cached_property
    def grad_cam(self) -> class_activation.Explainer:
        """Grad-CAM of this model, compiled when first used."""
        return class_activation.explainer(self.model, self.facts.heatmap_layers)

    @functools.cached_property
    def randomised(self) -> LoadedModel:
        """The same with shuffled weights; made when first used."""
        model = attribution.randomised(self.model)
        return LoadedModel(model, self.facts, compiled(model))

    @functools.cached_property
    def inside(self) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        """Probabilities and what enters the last layer, in one compiled pass."""
        last = self.model.layers[-1]
        return compiled(keras.Model(self.model.input, [last.output, last.input]))

    @property
    def bytes(self) -> int:
        """Memory that it takes, roughly."""
        return 4 * int(self.model.count_params()) + ALLOWANCE_BYTES


def load(run: Run) -> LoadedModel:
    """Loads the best model of a run.

    Raises:
        RunError: The run has no model yet.
        PredictionError: The file is damaged.
    """
    facts = run.model_facts
    try:
        saved = keras.models.load_model(run.model_path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, BadZipFile) as error:
        raise PredictionError(
            f"The model of run {run.title} cannot be loaded: {run.model_path.name} is "
            "damaged or was written by another version. Train it again."
        ) from error
    model = in_float32(saved)
    known = None
    with contextlib.suppress(FileNotFoundError):
        known = OodDetector.load(run.folder / REFERENCE)
    return LoadedModel(model, facts, compiled(model), known)


def compiled(model: keras.Model) -> Callable[[tf.Tensor], Any]:
    """The model as a graph; traced once for each size of batch."""

    @functools.cache
    def graph(batch: int) -> Callable[[tf.Tensor], Any]:
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
    exact = re.sub("mixed_b?float16", "float32", config)
    if exact == config:
        return model
    copy = type(model).from_config(json.loads(exact))
    copy.set_weights(model.get_weights())
    return copy


def predict(loaded: LoadedModel, images: np.ndarray) -> np.ndarray:
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
    return _pass(loaded, images, loaded.call)[0]


def predict_with_features(
    loaded: LoadedModel, images: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As `predict`, and what enters the last layer, float32 (n, d)."""
    scores, features = _pass(loaded, images, loaded.inside)
    return scores, features


def _pass(
    loaded: LoadedModel, images: np.ndarray, call: Callable[[tf.Tensor], Any]
) -> list[np.ndarray]:
    """Everything that `call` computes, float32 (n, ...) each."""
    _check_images(loaded, images)
    pieces: list[list[np.ndarray]] = []
    with exact_multiplication():
        for start, count, bucket in batches(len(images)):
            batch = np.zeros((bucket, *images.shape[1:]), np.uint8)
            batch[:count] = images[start : start + count]
            answer = call(tf.constant(batch))
            tensors = answer if isinstance(answer, list) else [answer]
            pieces.append([tensor.numpy()[:count] for tensor in tensors])
    if not pieces:
        return [np.empty((0, len(loaded.facts.class_names)), np.float32)] * 2
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


def _check_images(loaded: LoadedModel, images: np.ndarray) -> None:
    expected = loaded.facts.preprocessing.shape
    if images.ndim != 4 or images.shape[1:] != expected or images.dtype != np.uint8:
        raise PredictionError(
            f"The model takes uint8 images of shape {expected}; "
            f"{images.dtype} {images.shape[1:]} was given."
        )


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
def exact_multiplication() -> Iterator[None]:
    """Switches off TensorFloat-32, whose 10 bits depend on the batch on GPUs."""
    with _precision_lock:
        before = tf.config.experimental.tensor_float_32_execution_enabled()
        tf.config.experimental.enable_tensor_float_32_execution(False)
        try:
            yield
        finally:
            tf.config.experimental.enable_tensor_float_32_execution(before)


class ModelCache:
    """Models that were used last, as many as fit into a number of bytes.

    Args:
        limit: Bytes that all models together may take; the newest is always kept.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._models: OrderedDict[Path, tuple[int, LoadedModel]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._models)

    def take(self, run: Run) -> LoadedModel:
        """The run's model, loaded anew if its file has changed.

        Raises:
            RunError: The run has no model yet.
            PredictionError: The file is damaged.
        """
        try:
            changed = run.model_path.stat().st_mtime_ns
        except FileNotFoundError:
            changed = 0
        kept = self._models.pop(run.folder, None)
        if kept is None or kept[0] != changed:
            kept = changed, load(run)
        self._models[run.folder] = kept
        self._make_room()
        return kept[1]

    def clear(self) -> None:
        """Forgets all models."""
        self._models.clear()
        gc.collect()

    def _make_room(self) -> None:
        sizes = [loaded.bytes for _, loaded in self._models.values()]
        while len(self._models) > 1 and sum(sizes) > self.limit:
            self._models.popitem(last=False)
            del sizes[0]
            gc.collect()


def serve(connection: socket.socket, shelf: ModelCache) -> None:
    """Answers questions until the other side closes the socket."""
    send(connection, Message({"ready": True}))
    while True:
        try:
            question = receive(connection)
        except EOFError:
            return
        send(connection, answer(question, shelf))


def answer(question: Message, shelf: ModelCache) -> Message:
    """The answer to one question; what goes wrong becomes one sentence in `error`."""
    try:
        try:
            return _answer(question, shelf)
        except tf.errors.ResourceExhaustedError:
            # A run that is being trained has taken the GPU's memory.
            shelf.clear()
            with tf.device("/CPU:0"):
                return _answer(question, shelf)
    except MedModelError as error:
        return Message({"error": str(error)})
    except Exception as error:
        # Only this request fails; who looks for the bug finds it in the server's log.
        traceback.print_exc()
        kind = type(error).__name__
        return Message({"error": f"The predictor failed on this request ({kind})."})


def _answer(question: Message, shelf: ModelCache) -> Message:
    facts = question.facts
    command = Command(facts["command"])
    if command is Command.AUGMENT:
        return Message({}, [_augment(question.arrays[0], facts)])
    loaded = shelf.take(Run(Path(facts["folder"])))
    if command is Command.LOAD:
        blank = np.zeros((1, *loaded.facts.preprocessing.shape), np.uint8)
        predict(loaded, blank)
        _compare(loaded, blank, loaded.explain(blank, [0]).features, [])
        return Message({})
    images = question.arrays[0]
    if command is Command.EXPLAIN:
        return Message({}, [explained_by(loaded, images, facts)])
    if command is Command.LOOK_INSIDE:
        _check_images(loaded, images)
        layers, arrays = layer_activations(loaded.model, images[0], facts["first"])
        return Message({"layers": layers}, arrays)
    heatmaps = []
    if "heatmap_for" in facts and len(images):
        explained = _explained(loaded, images, facts["heatmap_for"])
        scores, features = explained.scores, explained.features
        heatmaps = [explained.heatmaps]
    elif loaded.reference is not None and loaded.reference.own and "compare" in facts:
        scores, features = predict_with_features(loaded, images)
    else:
        scores = features = predict(loaded, images)
    told = {}
    if "compare" in facts:
        seen = [ImageTraits(*found) for found in facts["compare"]]
        told["ood"] = _compare(loaded, images, features, seen)
    return Message(told, [scores, *heatmaps])


def _explained(
    loaded: LoadedModel, images: np.ndarray, wanted: list[int]
) -> class_activation.Explained:
    _check_images(loaded, images)
    last = len(loaded.facts.class_names) - 1
    if min(wanted) < class_activation.FIRST_CHOICE or max(wanted) > last:
        raise PredictionError(
            f"The model knows classes 0 to {last}; another one was asked for."
        )
    with exact_multiplication():
        return loaded.explain(images, wanted)


def explained_by(loaded: LoadedModel, images: np.ndarray, facts: Any) -> np.ndarray:
    """One class's map of one picture, by the method that is asked for.

    Returns:
        float32 (1, height, width) in [0, 1].
    """
    position, method = int(facts["position"]), facts["method"]
    if facts["randomised"]:
        loaded = loaded.randomised
    # Also refuses a class or a picture that the model does not know.
    found = _explained(loaded, images[:1], [position])
    if method == "occlusion":
        score = functools.partial(predict, loaded)
        return attribution.occlusion(score, images[0], position)[None]
    if method == "integrated_gradients":
        with exact_multiplication():
            map_ = attribution.integrated_gradients(loaded.model, images[0], position)
        return attribution.positive(map_)[None]
    if method == "grad_cam":
        return loaded.grad_cam(images[:1], [position]).heatmaps
    return found.heatmaps


def _compare(
    loaded: LoadedModel, images: np.ndarray, own: np.ndarray, facts: list[ImageTraits]
) -> list[dict[str, Any]]:
    """Familiarity with each picture; none where the run has no reference."""
    known = loaded.reference
    if known is None or not len(images):
        return []
    numbers = ood_features.detector_vectors(known, images, own)
    return [asdict(found) for found in known.compare(numbers, facts)]


def _augment(images: np.ndarray, facts: Any) -> np.ndarray:
    chosen = Augmentation(**facts["augmentation"])
    return pipeline.augment(images, chosen, int(facts["seed"]))


def main() -> None:
    """Runs the predictor process."""
    os.nice(NICENESS)
    limit = int(os.environ.get("MEDMODEL_PREDICTOR_MB", "2048")) << 20
    # Once the shell is gone nobody waits for an answer that is on its way.
    gone = contextlib.suppress(BrokenPipeError, ConnectionResetError)
    with gone, socket.socket(fileno=int(sys.argv[1])) as connection:
        serve(connection, ModelCache(limit))


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)
