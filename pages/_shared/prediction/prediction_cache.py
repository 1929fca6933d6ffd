"""What models said about this session's pictures, asked once for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medmodel.core import audit
from medmodel.evaluation.ood import OodResult
from medmodel.predictor import FIRST_CHOICE, ExplainOptions, shared
from medmodel.runs.run import Run
from pages._shared.prediction.cases import Case, prepared

_MOST_SCORES, _MOST_HEATMAPS = 4000, 128
_AT_ONCE = 64
USUAL_WAY = ExplainOptions()


def warm(run: Run) -> None:
    """Lets the predictor load the model while the user still looks for a picture."""
    key = f"warmed-{_version(run)}"
    if key not in st.session_state:
        st.session_state[key] = True
        shared().warm(run.id)


def starting() -> bool:
    """Whether the next answer waits for the predictor's start."""
    return shared().state != "ready"


def scores_of(run: Run, cases: Sequence[Case]) -> NDArray[np.float32]:
    """Every class's probability for every picture, shape `(cases, classes)`.

    Raises:
        MedModelError: The model cannot be asked.
    """
    known = _kept("scores")
    missing = {
        case.digest: case
        for case in cases
        if (*_version(run), case.digest) not in known
    }
    waiting = list(missing.values())
    bar = st.progress(0.0) if len(waiting) > _AT_ONCE else None
    for start in range(0, len(waiting), _AT_ONCE):
        if bar:
            share, total = start / len(waiting), len(waiting)
            bar.progress(share, f"Asked about {start} of {total} pictures")
        _ask(run, waiting[start : start + _AT_ONCE])
    if bar:
        bar.empty()
    return np.stack([known[(*_version(run), case.digest)] for case in cases])


def familiarity_of(run: Run, case: Case) -> OodResult | None:
    """How the picture stands to the run's training images; None if it is not known.

    Told together with the scores.

    Raises:
        MedModelError: The model cannot be asked.
    """
    scores_of(run, [case])
    found: OodResult | None = _kept("familiarity").get((*_version(run), case.digest))
    return found


def is_explained(run: Run, case: Case, position: int, how: ExplainOptions) -> bool:
    """Whether `heatmap_of` answers at once."""
    return (*_version(run), case.digest, position, how) in _kept("heatmaps")


def heatmap_of(
    run: Run, case: Case, position: int, how: ExplainOptions = USUAL_WAY
) -> NDArray[np.float32]:
    """Map of one class for one picture, shape `(size, size)`, in [0, 1].

    Raises:
        MedModelError: The model cannot be asked.
    """
    key = (*_version(run), case.digest, position, how)
    known = _kept("heatmaps")
    if key not in known:
        image = prepared(case, run.model_facts.preprocessing)
        heat = shared().explain(run.id, image, position, how)
        _keep(known, key, heat, _MOST_HEATMAPS)
        audit.record("explain", run=run.id, images=1)
    found: NDArray[np.float32] = known[key]
    return found


def _ask(run: Run, cases: Sequence[Case]) -> None:
    preprocessing = run.model_facts.preprocessing
    images = np.stack([prepared(case, preprocessing) for case in cases])
    # A single picture is shown with its heat map at once: one request for both.
    alone = len(cases) == 1
    facts = [case.facts for case in cases]
    answer = shared().ask(run.id, images, [FIRST_CHOICE] if alone else None, facts)
    for case, scores in zip(cases, answer.scores, strict=True):
        _keep(_kept("scores"), (*_version(run), case.digest), scores, _MOST_SCORES)
    # A run that was trained by an older version tells nothing.
    for case, known in zip(cases, answer.familiarity, strict=False):
        _keep(_kept("familiarity"), (*_version(run), case.digest), known, _MOST_SCORES)
    if answer.heatmaps is not None:
        first = int(answer.scores[0].argmax())
        key = (*_version(run), cases[0].digest, first, USUAL_WAY)
        _keep(_kept("heatmaps"), key, answer.heatmaps[0], _MOST_HEATMAPS)
    audit.record("predict", run=run.id, images=len(cases))


def _version(run: Run) -> tuple[str, int]:
    return run.id, run.model_path.stat().st_mtime_ns


def _kept(kind: str) -> dict[Any, Any]:
    kept: dict[Any, Any] = st.session_state.setdefault(f"answers-{kind}", {})
    return kept


def _keep(kept: dict[Any, Any], key: Any, value: Any, most: int) -> None:
    kept[key] = value
    while len(kept) > most:
        del kept[next(iter(kept))]
