"""How sure: unlike the training data, sets of classes, and images that resemble it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medmodel.core import audit
from medmodel.core.config import MEDICAL_AUGMENTATION
from medmodel.core.errors import MedModelError
from medmodel.data.folders import safe_folder
from medmodel.evaluation import conformal
from medmodel.evaluation.calibration import apply_temperature, stored_temperature
from medmodel.evaluation.ood import MOST_FITTED, Neighbour, OodResult
from medmodel.evaluation.predictions import training_digests
from medmodel.imaging.images import Pixels, decode, png_bytes, thumbnail
from medmodel.predictor import shared
from medmodel.reports import plots
from medmodel.runs.run import Run
from medmodel.runs.tables import read_predictions, score_array
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.prediction.cases import Case, pixel_digest_of, prepared
from pages._shared.prediction.prediction_cache import familiarity_of, scores_of
from pages._shared.prediction.verdict_view import held, held_sentence

_THUMBNAIL = 128
_CHANGES = 16
COVERAGE = "coverage"


@dataclass(frozen=True)
class Validation:
    """Scores of the validation split: (n, k), and (n,) positions of the right class."""

    scores: NDArray[np.float64]
    truth: NDArray[np.intp]


def may_show_scores(run: Run, case: Case) -> bool:
    """Says first whether the picture is unlike the training data.

    One that it was trained on is said to be that instead.

    Returns:
        Whether its probabilities are shown: it is familiar, nothing is known of that,
        or they were asked for nevertheless.
    """
    found = familiarity_of(run, case)
    if found is None:
        st.caption(
            "Whether this picture resembles the training data is not known: the model "
            "was trained by a version that did not keep that."
        )
        _say_if_learned(run, case)
        return True
    if not is_strange(run, case):
        _say_if_learned(run, case)
        return True
    st.markdown("### Unlike the training data")
    st.warning(_why(run, found), icon=":material/help:")
    key = f"nevertheless-{run.id}-{case.key}"
    if st.session_state.get(key):
        return True
    if st.button("Show the probabilities nevertheless", key=f"ask-{key}"):
        st.session_state[key] = True
        audit.record("nevertheless", run=run.id, images=1)
        st.rerun()
    return False


def learned_from(run: Run, case: Case) -> str:
    """The split of the run that holds this very picture: train, val, or "" for none."""
    return _learned(str(run.folder)).get(pixel_digest_of(case), "")


def is_strange(run: Run, case: Case) -> bool:
    """Whether the picture is to be called unlike the training data."""
    found = familiarity_of(run, case)
    if found is None or not found.unfamiliar:
        return False
    return bool(found.facts) or learned_from(run, case) != "train"


def _say_if_learned(run: Run, case: Case) -> None:
    learned = learned_from(run, case)
    if learned == "train":
        st.info(
            "**The model was trained on this very picture.** Its score here says "
            "nothing about how it does on new ones.",
            icon=":material/school:",
        )
    elif learned == "val":
        st.info(
            "**This very picture is one of the validation images**, by which the "
            "training was steered. New pictures may fare worse.",
            icon=":material/school:",
        )


@st.cache_resource(max_entries=16, show_spinner=False)
def _learned(folder: str) -> dict[str, str]:
    return training_digests(Run(Path(folder)))


def _why(run: Run, found: OodResult) -> str:
    reasons = list(found.facts)
    if found.far:
        share = "every one"
        if found.farther_than < 1:
            share = plots.per_cent(found.farther_than)
        reasons.append(
            f"It lies farther from the training images than {share} of the validation "
            "images."
        )
    return plain(
        " ".join(reasons) + " The model has seen hardly anything like it: do not rely "
        "on its probabilities for such a picture."
    )


def calibrated_scores(
    run: Run, scores: NDArray[np.float32]
) -> tuple[NDArray[np.float32], str]:
    """The probabilities to show, (cases, classes), and in words what they are."""
    found = stored_temperature(run)
    if found is None:
        return scores, (
            "A model's score for each class on this image; not calibrated: 80 % does "
            "not mean right in 80 of 100 such cases."
        )
    changed = apply_temperature(scores, found.value)
    return changed.astype(np.float32), (
        "A model's score for each class on this image; calibrated on "
        f"{found.images:,} validation images (temperature {found.value:.2f}): of such "
        "cases with 80 %, about 80 of 100 should be right."
    )


@st.fragment
def show_set(run: Run, case: Case) -> None:
    """The classes that cannot be ruled out at the chosen coverage.

    Made of the scores as the model gives them, as those of the validation images are.
    """
    with errors_shown():
        scores = scores_of(run, [case])[0]
        known = _validation(run)
        if not len(known.truth):
            return
        share = st.session_state.get(f"{COVERAGE}-{run.id}") or 0.95
        found = conformal.fit(known.scores, known.truth, share)
        st.markdown(sentence(run.model_facts.class_names, found, scores))
        measured = held(run, found)
        if measured is not None:
            st.caption(held_sentence(found, measured))
        st.segmented_control(
            "Coverage",
            conformal.COVERAGES,
            default=0.95,
            format_func=lambda value: f"{value:.0%}".replace("%", " %"),
            key=f"{COVERAGE}-{run.id}",
            help="Sets made like this hold the right class for so large a share of "
            "images like the validation images; not of images of another kind.",
        )
        _show_agreement(run, case, scores)


def sentence(
    classes: list[str], found: conformal.Conformal, scores: NDArray[np.float32]
) -> str:
    """The set in words, as Markdown."""
    inside = found.sets(scores[None])[0]
    order = np.argsort(-scores, kind="stable")
    names = [f"**{plain(classes[i])}**" for i in order if inside[i]]
    begin = f"With {found.coverage:.0%} coverage: ".replace("%", " %")
    if not names:
        return begin + (
            "**none of the classes**. The model is less sure of each of them than it "
            "was of the right one in nearly all validation images."
        )
    text = names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]
    own = int(found.per_class.sum())
    basis = f":gray[ (from {found.images:,} validation images"
    if own == len(classes):
        basis += ", class by class"
    elif not own and not found.least.any():
        basis += ": too few to rule anything out"
    return f"{begin}{text}{basis})]"


def _validation(run: Run) -> Validation:
    path = run.predictions_path
    try:
        return _read_validation(str(run.folder), path.stat().st_mtime_ns)
    except FileNotFoundError:
        return Validation(np.empty((0, 0)), np.empty(0, np.intp))


@st.cache_data(max_entries=16, show_spinner=False)
def _read_validation(folder: str, version: int) -> Validation:
    run = Run(Path(folder))
    classes = run.model_facts.class_names
    table = read_predictions(run)
    table = table[table["split"] == "val"]
    scores = score_array(table, classes)
    truth = np.array([classes.index(label) for label in table["label"]], np.intp)
    return Validation(scores, truth)


def _show_agreement(run: Run, case: Case, scores: NDArray[np.float32]) -> None:
    """Whether small changes of the picture change the first choice; on request."""
    key = f"agreement-{run.id}-{case.digest}"
    if key not in st.session_state:
        if not st.button(
            "Does it hold under small changes?",
            key=f"ask-{key}",
            help=f"Asks the model about {_CHANGES} slightly turned, shifted, larger, "
            "smaller, brighter and darker copies.",
        ):
            return
        image = prepared(case, run.model_facts.preprocessing)
        copies = np.stack([image] * _CHANGES)
        changed = shared().augment(copies, MEDICAL_AUGMENTATION)
        st.session_state[key] = shared().ask(run.id, changed).scores
    told: NDArray[np.float32] = st.session_state[key]
    first = int(scores.argmax())
    same = int((told.argmax(axis=1) == first).sum())
    low = plots.per_cent(float(told[:, first].min()))
    high = plots.per_cent(float(told[:, first].max()))
    name = run.model_facts.class_names[first]
    st.markdown(
        f"Under {_CHANGES} small changes {same} of {_CHANGES} times the same first "
        f"choice; {plain(name)} between {plain(low)} and {plain(high)} (not "
        "calibrated)."
    )


def show_similar(run: Run, case: Case) -> None:
    """The training images that the network finds most like the picture."""
    found = familiarity_of(run, case)
    if found is None or not found.neighbours:
        return
    st.markdown("#### Similar training images")
    with st.container(horizontal=True):
        for near in found.neighbours:
            with st.container(width=_THUMBNAIL):
                _show_neighbour(run, near)
    st.caption(
        f"Nearest by the features of the network{_among(run)}. A distance of 1 is how "
        "far a validation image usually is from its nearest training image."
    )


def _among(run: Run) -> str:
    """Which training images were looked at, where not all of them were."""
    if run.config.training == "frozen":  # their features were there anyway
        return ""
    count = sum(split == "train" for split in _learned(str(run.folder)).values())
    if count <= MOST_FITTED:
        return ""
    return f", among {MOST_FITTED:,} of {count:,} training images drawn by chance"


def _show_neighbour(run: Run, near: Neighbour) -> None:
    text = f"{near.label}, distance {near.distance:.2f}"
    try:
        pixels = _training_image(run, near.path)
    except (MedModelError, OSError):
        st.markdown(f"{plain(text)}  \n:gray[not in the data set any more]")
        return
    side = max(pixels.shape[:2])
    enlarged = plots.enlarged(pixels, _THUMBNAIL) if side < _THUMBNAIL else pixels
    st.image(
        png_bytes(plots.framed(enlarged)),
        caption=plain(text),
        output_format="PNG",
        alt=f"Training image, {text}",
    )


def _training_image(run: Run, path: str) -> Pixels:
    kept: dict[tuple[str, str], Pixels] = st.session_state.setdefault("likes", {})
    key = (run.id, path)
    if key not in kept:
        file = safe_folder(run.config.dataset) / path
        kept[key] = thumbnail(decode(file).pixels, _THUMBNAIL)
        while len(kept) > 64:
            del kept[next(iter(kept))]
    return kept[key]
