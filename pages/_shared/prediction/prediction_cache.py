"""Predictions of this session's images: each model is asked once for each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medmodel.core import audit
from medmodel.core.errors import value_or_problem
from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation.calibration.temperature_scaling import stored_temperature
from medmodel.evaluation.decision.predicted_class import (
    decision_sentence,
    highest_classes,
)
from medmodel.evaluation.image_prediction import Prediction
from medmodel.evaluation.ood.results import OodResult
from medmodel.imaging.images import Pixels
from medmodel.language import _
from medmodel.predictor import FIRST_CHOICE, ExplainOptions, shared
from medmodel.reports.case.predicted_class import predicted_sentence
from medmodel.runs.run import Run
from pages._shared.prediction.cases import Case, prepared

_MOST_PREDICTIONS, _MOST_HEATMAPS = 4000, 128
_AT_ONCE = 64
DEFAULT_OPTIONS = ExplainOptions()


@dataclass(frozen=True)
class Answer:
    """What one model says of one image, and all that the page shows beside it.

    Args:
        run: The model's run.
        name: What the model is called on this page.
        preprocessing: How an image becomes the model's input.
        case: The image.
        pixels: The image as the model sees it.
        prediction: The model's prediction for it.
        probabilities: Those of the prediction that are shown, (num_classes,).
    """

    run: Run
    name: str
    preprocessing: Preprocessing
    case: Case
    pixels: Pixels
    prediction: Prediction
    probabilities: NDArray[np.float32]

    @property
    def ood(self) -> OodResult | None:
        """How the image stands to the training images; None if that is not known."""
        return self.prediction.ood

    @property
    def ood_problem(self) -> str:
        """Why it is not known, where a file is damaged; else ""."""
        return self.prediction.ood_problem

    @property
    def classes(self) -> list[str]:
        """Class names in the order of `probabilities`."""
        return self.prediction.classes

    @property
    def first_choice(self) -> int:
        """Position of the predicted class."""
        return self.prediction.predicted

    @property
    def decision(self) -> str:
        """How `probabilities` tell the predicted class, or "" by the highest."""
        prediction = self.prediction
        raw = self.probabilities is prediction.raw
        temperature = None if raw else prediction.temperature
        return decision_sentence(self.classes, prediction.threshold, temperature)

    @property
    def predicted_sentence(self) -> str:
        """The predicted class as a title; a tie is said to be one."""
        return predicted_sentence(self.classes, self.probabilities, self._decided)

    @property
    def tied(self) -> bool:
        """Whether the highest probabilities are equal, and no threshold decides."""
        return len(highest_classes(self.classes, self.probabilities, self._decided)) > 1

    @property
    def _decided(self) -> int | None:
        return self.first_choice if self.prediction.threshold else None


def warm(run: Run) -> None:
    """Lets the predictor load the model while the user still looks for an image."""
    key = f"warmed-{_version(run)}"
    if key not in st.session_state:
        st.session_state[key] = True
        shared().warm(run.id)


def starting() -> bool:
    """Whether the next answer waits for the predictor's start."""
    return shared().state != "ready"


def asking() -> str:
    """What is said while the model answers."""
    if starting():
        return _("Loading the model: it takes longest the first time …")
    return _("Asking the model …")


def ask(
    run: Run, cases: Sequence[Case], calibrated: bool = True, name: str = ""
) -> list[Answer]:
    """The model's answer to each image; the predictor is asked about new ones only.

    Args:
        run: The model's run.
        cases: The images.
        calibrated: Whether probabilities are shown after calibration.
        name: What the model is called on this page; "" for its own title.

    Raises:
        MedModelError: The model cannot be asked.
    """
    # A model that was calibrated meanwhile has another answer.
    version = (*_version(run), *value_or_problem(stored_temperature, run))
    preprocessing, predictions = run.model_facts.preprocessing, _cache("predictions")
    pixels = [prepared(case, preprocessing) for case in cases]
    new = {
        case.digest: (case, image)
        for case, image in zip(cases, pixels, strict=True)
        if (*version, case.digest) not in predictions
    }
    _predict(run, version, list(new.values()))
    answers = []
    for case, image in zip(cases, pixels, strict=True):
        prediction = predictions[(*version, case.digest)]
        shown = prediction.calibrated if calibrated else prediction.raw
        title = name or run.title
        answers.append(
            Answer(run, title, preprocessing, case, image, prediction, shown)
        )
    return answers


def ask_findings(run: Run, cases: Sequence[Case]) -> list[Answer]:
    """The same of a model of several findings; probabilities as the model says them.

    Raises:
        MedModelError: The model cannot be asked.
    """
    preprocessing, predictions = run.model_facts.preprocessing, _cache("predictions")
    version = _version(run)
    pixels = [prepared(case, preprocessing) for case in cases]
    new = [
        (case, image)
        for case, image in zip(cases, pixels, strict=True)
        if (*version, case.digest) not in predictions
    ]
    _predict(run, version, new, multi_label=True)
    answers = []
    for case, image in zip(cases, pixels, strict=True):
        prediction = predictions[(*version, case.digest)]
        answers.append(
            Answer(
                run, run.title, preprocessing, case, image, prediction, prediction.raw
            )
        )
    return answers


def is_explained(answer: Answer, position: int, options: ExplainOptions) -> bool:
    """Whether `heatmap_of` answers at once."""
    return _heatmap_key(answer.run, answer.case, position, options) in _cache(
        "heatmaps"
    )


def heatmap_of(
    answer: Answer, position: int, options: ExplainOptions = DEFAULT_OPTIONS
) -> NDArray[np.float32]:
    """Heat map of one class for one image, shape `(size, size)`, in [0, 1].

    Raises:
        MedModelError: The model cannot be asked.
    """
    run = answer.run
    key = _heatmap_key(run, answer.case, position, options)
    heatmaps = _cache("heatmaps")
    if key not in heatmaps:
        heatmap = shared().explain(run.id, answer.pixels, position, options)
        _keep(heatmaps, key, heatmap, _MOST_HEATMAPS)
        audit.record("explain", run=run.id, images=1)
    cached: NDArray[np.float32] = heatmaps[key]
    return cached


def _predict(
    run: Run,
    version: Any,
    new: Sequence[tuple[Case, Pixels]],
    multi_label: bool = False,
) -> None:
    bar = st.progress(0.0) if len(new) > _AT_ONCE else None
    for start in range(0, len(new), _AT_ONCE):
        if bar:
            asked = _(
                "Asked about {done} of {images} images", done=start, images=len(new)
            )
            bar.progress(start / len(new), asked)
        cases, pixels = zip(*new[start : start + _AT_ONCE], strict=True)
        # A single image is shown with its heat map at once: one request for both.
        heatmap_for = [FIRST_CHOICE] if len(cases) == 1 else None
        traits = [case.facts for case in cases]
        predictions = shared().ask(
            run.id, np.stack(pixels), heatmap_for, traits, multi_label
        )
        for case, prediction in zip(cases, predictions, strict=True):
            if prediction.heatmap is not None:
                first = int(prediction.raw.argmax())
                key = _heatmap_key(run, case, first, DEFAULT_OPTIONS)
                _keep(_cache("heatmaps"), key, prediction.heatmap, _MOST_HEATMAPS)
            # Heat maps are large, and few of them are kept.
            small = replace(prediction, heatmap=None)
            key = (*version, case.digest)
            _keep(_cache("predictions"), key, small, _MOST_PREDICTIONS)
        audit.record("predict", run=run.id, images=len(cases))
    if bar:
        bar.empty()


def _heatmap_key(
    run: Run, case: Case, position: int, options: ExplainOptions
) -> tuple[Any, ...]:
    return (*_version(run), case.digest, position, options)


def _version(run: Run) -> tuple[str, int]:
    return run.id, run.model_path.stat().st_mtime_ns


def _cache(kind: str) -> dict[Any, Any]:
    cache: dict[Any, Any] = st.session_state.setdefault(f"answers-{kind}", {})
    return cache


def _keep(cache: dict[Any, Any], key: Any, value: Any, most: int) -> None:
    cache[key] = value
    while len(cache) > most:
        del cache[next(iter(cache))]
