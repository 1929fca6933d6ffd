"""Outlines of this session's images: a segmentation is asked once for each image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medmodel.core import audit
from medmodel.evaluation.ood.results import OodResult
from medmodel.imaging.mask_values import Mask, class_map
from medmodel.predictor import shared
from medmodel.runs.run import Run
from pages._shared.prediction.cases import Case, prepared, size_of

_MOST = 32


@dataclass(frozen=True)
class Outlined:
    """What a segmentation says of one image.

    Args:
        run: The model's run.
        case: The image.
        names: Class of each number, the background first.
        values: Value in masks of each class.
        classes: uint8 (height, width) of class numbers, of the whole image as shown.
        ood: How the image stands to the training images; None if that is not known.
        ood_problem: Why it is not known, where a file is damaged; else "".
    """

    run: Run
    case: Case
    names: list[str]
    values: list[int]
    classes: Mask
    ood: OodResult | None = None
    ood_problem: str = ""

    def area(self, number: int) -> NDArray[np.bool_]:
        """(height, width): which pixels belong to a class."""
        return self.classes == number


def outlined(run: Run, case: Case) -> Outlined:
    """The answer to an image; the predictor is asked about new ones only.

    Raises:
        MedModelError: The model cannot be asked, or the image not be read.
    """
    cache: dict[object, Outlined] = st.session_state.setdefault("outlined", {})
    key = (run.id, run.model_path.stat().st_mtime_ns, case.digest)
    if key not in cache:
        cache[key] = _asked(run, case)
        audit.record("predict", run=run.id, images=1)
        while len(cache) > _MOST:
            del cache[next(iter(cache))]
    return replace(cache[key], run=run, case=case)


def _asked(run: Run, case: Case) -> Outlined:
    facts = run.model_facts
    answer = shared().segment(run.id, prepared(case, facts.preprocessing), case.facts)
    width, height = size_of(case)
    classes = class_map(answer.scores, (height, width), facts.preprocessing.fit)
    return Outlined(
        *(run, case, facts.class_names, facts.mask_values, classes),
        *(answer.ood, answer.ood_problem),
    )
