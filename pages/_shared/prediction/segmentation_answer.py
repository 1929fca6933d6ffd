"""Outlines of this session's images: a segmentation is asked once for each image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medmodel.core import audit
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
    """

    run: Run
    case: Case
    names: list[str]
    values: list[int]
    classes: Mask

    def area(self, number: int) -> NDArray[np.bool_]:
        """(height, width): which pixels belong to a class."""
        return self.classes == number


def outlined(run: Run, case: Case) -> Outlined:
    """The answer to an image; the predictor is asked about new ones only.

    Raises:
        MedModelError: The model cannot be asked, or the image not be read.
    """
    facts = run.model_facts
    cache: dict[object, Mask] = st.session_state.setdefault("outlined", {})
    key = (run.id, run.model_path.stat().st_mtime_ns, case.digest)
    if key not in cache:
        scores = shared().segment(run.id, prepared(case, facts.preprocessing))
        width, height = size_of(case)
        cache[key] = class_map(scores, (height, width), facts.preprocessing.fit)
        audit.record("predict", run=run.id, images=1)
        while len(cache) > _MOST:
            del cache[next(iter(cache))]
    return Outlined(run, case, facts.class_names, facts.mask_values, cache[key])
