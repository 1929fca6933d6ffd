"""Predictor process: answers messages through a socket until the shell closes it.

`python -m medmodel.inference.predictor_process FD` answers what comes through the
socket FD (see `predictor`).
"""

from __future__ import annotations

import functools
import os
import sys
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from medmodel.core.errors import MedModelError, PredictionError
from medmodel.core.processes.children import serve
from medmodel.core.processes.messages import Command, Message
from medmodel.core.settings.augmentation import Augmentation
from medmodel.evaluation.ood.traits import ImageTraits
from medmodel.inference import attribution, class_activation, ood_features
from medmodel.inference.activations import layer_activations
from medmodel.inference.model_cache import ModelCache
from medmodel.inference.prediction import (
    LoadedModel,
    check_images,
    exact_multiplication,
    predict,
    predict_with_features,
)
from medmodel.language import _
from medmodel.networks import pipeline
from medmodel.networks.encoder_layer import OnnxEncoder
from medmodel.runs.run import Run

NICENESS = 5
OCCLUSION = "occlusion"
_LARGE_ENCODER = 384
"""Pixels from which on a vision transformer takes about a second for an image."""


def answer(question: Message, cache: ModelCache) -> Message:
    """The answer to one question; what goes wrong becomes one sentence in `error`."""
    try:
        try:
            return _answer(question, cache)
        except tf.errors.ResourceExhaustedError:
            # A run that is being trained has taken the GPU's memory.
            cache.clear()
            with tf.device("/CPU:0"):
                return _answer(question, cache)
    except MedModelError as error:
        return Message({"error": str(error)})
    except Exception as error:
        # Only this request fails; who looks for the bug finds it in the server's log.
        traceback.print_exc()
        kind = type(error).__name__
        return Message(
            {"error": _("The predictor failed on this request ({kind}).", kind=kind)}
        )


def _answer(question: Message, cache: ModelCache) -> Message:
    facts = question.facts
    command = Command(facts["command"])
    if command is Command.AUGMENT:
        return Message({}, [_augment(question.arrays[0], facts)])
    loaded = cache.take(Run(Path(facts["folder"])))
    if command is Command.LOAD:
        return _warm(loaded)
    images = question.arrays[0]
    if command is Command.SEGMENT:
        scores = predict(loaded, images)
        return Message(_comparison(loaded, images, scores, facts), [scores])
    if command is Command.EXPLAIN:
        return Message({}, [_explain(loaded, images, facts)])
    if command is Command.LOOK_INSIDE:
        check_images(loaded, images)
        layers, arrays = layer_activations(loaded.model, images[0], facts["first"])
        return Message({"layers": layers}, arrays)
    return _predict(loaded, images, facts)


def _augment(images: np.ndarray, facts: Any) -> np.ndarray:
    augmentation = Augmentation(**facts["augmentation"])
    seed, kept_sharp = int(facts["seed"]), float(facts["kept_sharp"])
    return pipeline.augment(images, augmentation, seed, kept_sharp)


def _warm(loaded: LoadedModel) -> Message:
    """Compiles all that the first upload will need."""
    blank = np.zeros((1, *loaded.facts.preprocessing.shape), np.uint8)
    features = predict(loaded, blank)
    if loaded.facts.heatmap_layers and not loaded.map_problem:
        features = loaded.explain(blank, [0]).features
    elif loaded.map_problem:
        features = predict_with_features(loaded, blank)[1]
    elif not loaded.facts.mask_values:
        return Message({})
    _compare(loaded, blank, features, [])
    return Message({})


def _explain(loaded: LoadedModel, images: np.ndarray, facts: Any) -> np.ndarray:
    """One class's map of one image by the method that is asked for, (1, h, w)."""
    position, method = int(facts["position"]), facts["method"]
    if not loaded.facts.heatmap_layers and (facts["randomised"] or method != OCCLUSION):
        raise PredictionError(
            _("This model gives no gradients: its maps are made by occlusion.")
        )
    if loaded.members and (facts["randomised"] or method != OCCLUSION):
        return _mean_of_members(loaded, images, facts)
    if facts["randomised"]:
        loaded = loaded.randomised
    _check_request(loaded, images, [position])
    if method == OCCLUSION:
        score = functools.partial(predict, loaded)
        patches = _patches(loaded)
        return attribution.occlusion(score, images[0], position, patches)[None]
    if method == "integrated_gradients":
        with exact_multiplication():
            map_ = attribution.integrated_gradients(loaded.model, images[0], position)
        return attribution.positive(map_)[None]
    if method == "grad_cam":
        return loaded.grad_cam(images, [position]).heatmaps
    return _hires_cam(loaded, images, [position]).heatmaps


def _mean_of_members(loaded: LoadedModel, images: np.ndarray, facts: Any) -> np.ndarray:
    """The members' maps of one image by the same method, averaged."""
    check_images(loaded, images)
    seen = zip(loaded.members, loaded.as_members_see(images), strict=True)
    maps = [_explain(member, pixels, facts) for member, pixels in seen]
    return attribution.mean_maps(maps, loaded.facts.preprocessing.size)


def _predict(loaded: LoadedModel, images: np.ndarray, facts: Any) -> Message:
    """Probabilities; heat maps and the comparison with training images on demand."""
    heatmaps = []
    # A map that cannot be made is asked for by itself, and said to be damaged there.
    if "heatmap_for" in facts and len(images) and not loaded.map_problem:
        explained = _hires_cam(loaded, images, facts["heatmap_for"])
        scores, features = explained.scores, explained.features
        heatmaps = [explained.heatmaps]
    elif loaded.detector is not None and loaded.detector.own and "compare" in facts:
        scores, features = predict_with_features(loaded, images)
    else:
        scores = features = predict(loaded, images)
    results = _comparison(loaded, images, features, facts)
    return Message(results, [scores, *heatmaps])


def _comparison(
    loaded: LoadedModel, images: np.ndarray, features: np.ndarray, facts: Any
) -> dict[str, Any]:
    """How the images stand to the training images, where that is asked."""
    if "compare" not in facts:
        return {}
    traits = [ImageTraits(*values) for values in facts["compare"]]
    return {
        "ood": _compare(loaded, images, features, traits),
        "ood_problem": loaded.detector_problem,
    }


def _hires_cam(
    loaded: LoadedModel, images: np.ndarray, positions: list[int]
) -> class_activation.Explained:
    _check_request(loaded, images, positions)
    if not loaded.facts.heatmap_layers:
        return _by_occlusion(loaded, images, positions)
    scores = None
    if loaded.facts.flips != "none":
        # Without mirror images another class may be the first choice.
        scores = predict(loaded, images)
        positions = _chosen(scores, positions)
    with exact_multiplication():
        explained = loaded.explain(images, positions)
    return explained if scores is None else replace(explained, scores=scores)


def _check_request(
    loaded: LoadedModel, images: np.ndarray, positions: list[int]
) -> None:
    """Refuses a class or images that the model does not know."""
    check_images(loaded, images)
    last = len(loaded.facts.class_names) - 1
    if min(positions) < class_activation.FIRST_CHOICE or max(positions) > last:
        raise PredictionError(
            _(
                "The model knows classes 0 to {last}; another one was asked for.",
                last=last,
            )
        )


def _chosen(scores: np.ndarray, positions: list[int]) -> list[int]:
    """Positions of the classes to explain, none of them `FIRST_CHOICE` any more."""
    return [
        int(row.argmax()) if position == class_activation.FIRST_CHOICE else position
        for row, position in zip(scores, positions, strict=True)
    ]


def _patches(loaded: LoadedModel) -> int:
    """Squares along each side that are hidden in turn: fewer where each takes long."""
    large = any(
        isinstance(layer, OnnxEncoder) and layer.encoder.size >= _LARGE_ENCODER
        for layer in loaded.model.layers
    )
    return attribution.FEW_PATCHES if large else attribution.PATCHES


def _by_occlusion(
    loaded: LoadedModel, images: np.ndarray, positions: list[int]
) -> class_activation.Explained:
    """The same for a model without gradients or without a map of places."""
    scores = predict(loaded, images)
    chosen = _chosen(scores, positions)
    score = functools.partial(predict, loaded)
    maps = [
        attribution.occlusion(score, image, position, _patches(loaded))
        for image, position in zip(images, chosen, strict=True)
    ]
    return class_activation.Explained(np.stack(maps), scores, scores)


def _compare(
    loaded: LoadedModel,
    images: np.ndarray,
    features: np.ndarray,
    traits: list[ImageTraits],
) -> list[dict[str, Any]]:
    """How each image stands to the training images; none without a detector."""
    if loaded.detector is None or not len(images):
        return []
    vectors = ood_features.detector_vectors(loaded.detector, images, features)
    return [asdict(result) for result in loaded.detector.compare(vectors, traits)]


def main() -> None:
    """Runs the predictor process."""
    os.nice(NICENESS)
    limit = int(os.environ.get("MEDMODEL_PREDICTOR_MB", "2048")) << 20
    reply = functools.partial(answer, cache=ModelCache(limit))
    serve(reply, greeting=Message({"ready": True}))


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)
