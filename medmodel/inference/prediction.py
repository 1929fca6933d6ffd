"""Loads a saved model and predicts: one compiled call, for tables and uploads alike."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
import tensorflow as tf

from medmodel.core.errors import (
    DECODER_ERRORS,
    NPY_HEADER_ERRORS,
    FileError,
    PredictionError,
)
from medmodel.core.storage import renaming
from medmodel.evaluation.ood.detector import FILE_NAME as REFERENCE
from medmodel.evaluation.ood.detector import OodDetector
from medmodel.inference import attribution, class_activation, ood_features
from medmodel.inference.flip_averaging import averaged_over_flips
from medmodel.language import _
from medmodel.networks import (
    ensemble,
    onnx_layer,  # noqa: F401 (Keras must know it by name)
)
from medmodel.networks.encoder_layer import check_encoders
from medmodel.runs.run import Run
from medmodel.runs.status import EnsembleMember, ModelFacts

# A compiled graph per size of batch; others are filled up, so nothing is retraced.
BUCKETS = (1, 8, 32)
# Graphs and activations of a model, beside its weights.
ALLOWANCE_BYTES = 64 << 20
_precision_lock = threading.Lock()


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to answer.

    Args:
        model: uint8 pixels (n, height, width, channels) to probabilities
            (n, num_classes), in float32 whatever it was trained in; without test-time
            augmentation.
        facts: Class names and preprocessing.
        call: `answering`, compiled; takes batches of the sizes in `BUCKETS`.
        detector: Compares images with its training images; None for older runs.
        detector_problem: Why there is none, where its file is damaged; else "".
        usual: What enters the last layer for a usual training image, see
            `class_activation.explainer`; None where that is not known.
        member_usual: Of an ensemble, the same of each member that has it, by number.
        map_problem: Why there are no maps by gradients, where usual.npz is damaged;
            else "".
    """

    model: keras.Model
    facts: ModelFacts
    call: Callable[[tf.Tensor], tf.Tensor]
    detector: OodDetector | None = None
    detector_problem: str = ""
    usual: np.ndarray | None = None
    member_usual: Mapping[int, np.ndarray] = field(default_factory=dict)
    map_problem: str = ""

    @functools.cached_property
    def explain(self) -> class_activation.Explainer:
        """HiResCAM of this model, compiled when first used; the mean of members'.

        Raises:
            PredictionError: What a usual image gives is damaged.
        """
        if self.map_problem:
            raise PredictionError(self.map_problem)
        if self.members:
            return self._mean_explainer(lambda member: member.explain)
        return class_activation.explainer(
            self.model, self.facts.heatmap_layers, faithful=True, usual=self.usual
        )

    @functools.cached_property
    def grad_cam(self) -> class_activation.Explainer:
        """Grad-CAM of this model, compiled when first used; the mean of members'."""
        if self.members:
            return self._mean_explainer(lambda member: member.grad_cam)
        return class_activation.explainer(self.model, self.facts.heatmap_layers)

    @functools.cached_property
    def members(self) -> list[LoadedModel]:
        """Of an ensemble each member, taken out of the graph; else empty."""
        return [
            _member(self, number, member)
            for number, member in enumerate(self.facts.members, start=1)
        ]

    @functools.cached_property
    def _member_inputs(self) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        count = len(self.facts.members)
        names = [ensemble.input_name(number) for number in range(1, count + 1)]
        seen = [self.model.get_layer(name).output for name in names]
        return compiled(keras.Model(self.model.input, seen))

    def as_members_see(self, images: np.ndarray) -> list[np.ndarray]:
        """Of an ensemble the images as each member sees them, uint8.

        Args:
            images: uint8 (n, height, width, channels).
        """
        seen = _in_batches(images, self._member_inputs)
        return [np.rint(pixels).astype(np.uint8) for pixels in seen]

    def _mean_explainer(
        self, method: Callable[[LoadedModel], class_activation.Explainer]
    ) -> class_activation.Explainer:
        """Members' maps of the class that the ensemble names, averaged."""

        def explain(
            images: np.ndarray, class_indices: Sequence[int]
        ) -> class_activation.Explained:
            scores = _in_batches(images, self.call)[0]
            wanted = np.asarray(class_indices)
            first = wanted == class_activation.FIRST_CHOICE
            wanted = np.where(first, scores.argmax(axis=1), wanted).tolist()
            maps = [
                method(member)(pixels, wanted).heatmaps
                for member, pixels in zip(
                    self.members, self.as_members_see(images), strict=True
                )
            ]
            side = self.facts.preprocessing.size
            mean = attribution.mean_maps(maps, side)
            return class_activation.Explained(mean, scores, scores)

        return explain

    @functools.cached_property
    def randomised(self) -> LoadedModel:
        """The same with shuffled weights; made when first used."""
        model = attribution.randomised(self.model)
        call = compiled(averaged_over_flips(model, self.facts.flips))
        return LoadedModel(model, self.facts, call)

    @functools.cached_property
    def answering(self) -> keras.Model:
        """The model with test-time augmentation: what `call` computes."""
        return averaged_over_flips(self.model, self.facts.flips)

    @functools.cached_property
    def with_features(self) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        """Probabilities and what enters the last layer, in one compiled pass."""
        features = self.model.layers[-1].input
        outputs = [self.answering.output, features]
        return compiled(keras.Model(self.model.input, outputs))

    @property
    def bytes(self) -> int:
        """Memory that it takes, roughly."""
        weights = max(int(self.model.count_params()), self.facts.parameters)
        return 4 * weights + ALLOWANCE_BYTES


def load(run: Run) -> LoadedModel:
    """Loads the best model of a run.

    Raises:
        RunError: The run has no model yet.
        PredictionError: The file is damaged.
        WeightsError: Its encoder is missing from the weights folder, or altered.
    """
    facts = run.model_facts
    try:
        saved = keras.models.load_model(run.model_path, compile=False, safe_mode=True)
    except (*DECODER_ERRORS, BadZipFile) as error:
        raise PredictionError(
            _(
                "The model of run {title} cannot be loaded: {file} is damaged or "
                "was written by another version. Train it again.",
                title=run.title,
                file=run.model_path.name,
            )
        ) from error
    _check_facts(run, saved, facts)
    check_encoders(saved)
    model = in_float32(saved)
    detector, problem = None, ""
    noted, map_problem = _noted_usual(run, saved, facts)
    try:
        detector = OodDetector.load(run.folder / REFERENCE)
    except FileNotFoundError:  # a run of an earlier version
        pass
    except FileError as error:
        problem = _(
            "The check for images unlike the training data is off. {error}", error=error
        )
    call = compiled(averaged_over_flips(model, facts.flips))
    if facts.members:
        return LoadedModel(
            model, facts, call, detector, problem, None, noted, map_problem
        )
    usual = noted.get(_OWN)
    if usual is None and detector is not None and detector.own:
        count = int(model.layers[-1].input.shape[-1])
        usual = ood_features.usual_features(detector, count)
    return LoadedModel(
        model, facts, call, detector, problem, usual, map_problem=map_problem
    )


def _member(loaded: LoadedModel, number: int, member: EnsembleMember) -> LoadedModel:
    """A member of an ensemble as a model of its own."""
    part = keras.Model(
        loaded.model.get_layer(ensemble.input_name(number)).output,
        loaded.model.get_layer(ensemble.output_name(number)).output,
        # Where its layers look depends on which network it is.
        name=member.network,
    )
    # Made anew, so that its first layer follows an input, not the rest of the graph.
    model = keras.Model.from_config(part.get_config())
    model.set_weights(part.get_weights())
    facts = ModelFacts(
        loaded.facts.class_names,
        member.preprocessing,
        member.heatmap_layers,
        int(model.count_params()),
    )
    usual = loaded.member_usual.get(number)
    return LoadedModel(model, facts, compiled(model), usual=usual)


USUAL = "usual.npz"
"""What a usual training image gives: of an ensemble each member, by its number."""
_OWN = 0
"""In its place the model itself."""


def write_usual(run: Run, features: Mapping[int, np.ndarray]) -> None:
    """Writes usual.npz.

    Args:
        run: The run.
        features: What enters the last layer for a usual training image, (d,), of
            members by number; of a model that is no ensemble under 0.
    """
    with renaming(run.folder / USUAL) as temporary, temporary.open("wb") as file:
        arrays: dict[str, Any] = {str(key): value for key, value in features.items()}
        np.savez(file, allow_pickle=False, **arrays)


def _noted_usual(
    run: Run, model: keras.Model, facts: ModelFacts
) -> tuple[dict[int, np.ndarray], str]:
    """What usual.npz holds, and why that cannot be used; without it maps are plain."""
    try:
        with np.load(run.folder / USUAL, allow_pickle=False) as arrays:
            noted = {int(number): arrays[number] for number in arrays.files}
        for number, values in noted.items():
            last = model.layers[-1]
            if facts.members:
                last = model.get_layer(ensemble.output_name(number))
            if values.shape != (last.input.shape[-1],) or not np.isfinite(values).all():
                raise ValueError(number)
    except FileNotFoundError:
        return {}, ""
    except (*DECODER_ERRORS, *NPY_HEADER_ERRORS, BadZipFile):
        return {}, _(
            "There is no saliency map of {title}, since its {file} is damaged: restore "
            "that file from a backup, or remove it, and maps are made without it. "
            "Predictions do not need it.",
            file=USUAL,
            title=run.title,
        )
    return noted, ""


def _check_facts(run: Run, model: keras.Model, facts: ModelFacts) -> None:
    """Refuses a model.json that is not the model's.

    Raises:
        PredictionError: It has other classes, or images of another shape.
    """
    outputs, inputs = model.output_shape[-1], tuple(model.input_shape[1:])
    names, shape = len(facts.class_names), facts.preprocessing.shape
    if names != outputs or shape != inputs:
        raise PredictionError(
            _(
                "The model.json of run {title} is not its model's: it names "
                "{names} classes and images of {shape}, the model has {outputs} "
                "and {inputs}. Restore both from a backup, or train it again.",
                title=run.title,
                names=names,
                shape=shape,
                outputs=outputs,
                inputs=inputs,
            )
        )


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
    scores, features = _pass(loaded, images, loaded.with_features)
    return scores, features


def _pass(
    loaded: LoadedModel, images: np.ndarray, call: Callable[[tf.Tensor], Any]
) -> list[np.ndarray]:
    """Everything that `call` computes, float32 (n, ...) each."""
    check_images(loaded, images)
    if not len(images):
        return [np.empty((0, len(loaded.facts.class_names)), np.float32)] * 2
    with exact_multiplication():
        return _in_batches(images, call)


def _in_batches(
    images: np.ndarray, call: Callable[[tf.Tensor], Any]
) -> list[np.ndarray]:
    """The same for one image or more, with whatever arithmetic is switched on."""
    pieces: list[list[np.ndarray]] = []
    for start, count, bucket in batches(len(images)):
        batch = np.zeros((bucket, *images.shape[1:]), np.uint8)
        batch[:count] = images[start : start + count]
        answer = call(tf.constant(batch))
        tensors = answer if isinstance(answer, list) else [answer]
        pieces.append([tensor.numpy()[:count] for tensor in tensors])
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


def check_images(loaded: LoadedModel, images: np.ndarray) -> None:
    """Refuses images that the model cannot take.

    Raises:
        PredictionError: They have another shape or type than the model's input.
    """
    expected = loaded.facts.preprocessing.shape
    if images.ndim != 4 or images.shape[1:] != expected or images.dtype != np.uint8:
        raise PredictionError(
            _(
                "The model takes uint8 images of shape {expected}; {dtype} {shape} "
                "was given.",
                expected=expected,
                dtype=images.dtype,
                shape=images.shape[1:],
            )
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
