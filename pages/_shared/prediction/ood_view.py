"""Out-of-distribution warning of one image, and its nearest training images."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel.core import audit
from medmodel.core.config import TrainConfig
from medmodel.core.errors import MedModelError, value_or_problem
from medmodel.data.folders import safe_folder
from medmodel.data.multi_label.findings import split_findings
from medmodel.evaluation.ood.fitting import MOST_FITTED
from medmodel.evaluation.ood.results import Neighbour, OodResult
from medmodel.evaluation.predictions import training_digests
from medmodel.imaging.images import Pixels, png_bytes
from medmodel.imaging.untrusted import DataFile, open_image
from medmodel.language import _, join_sentences, translate
from medmodel.reports import ood_sentences, plots
from medmodel.reports.ood_sentences import judged_images, why_unlike_training
from medmodel.runs.run import Run
from pages._shared.common.answer import show_answer
from pages._shared.common.glossary import meaning
from pages._shared.common.words import plain
from pages._shared.prediction.cases import pixel_digest_of
from pages._shared.prediction.prediction_cache import Answer
from pages._shared.prediction.segmentation_answer import Outlined

Judged = Answer | Outlined
"""A model's answer to an image that was compared with its training images."""
_THUMBNAIL = 128
_MOST_THUMBNAILS = 64


def may_show_answer(answer: Judged) -> bool:
    """Says first whether the image is unlike the training data.

    One that the model was trained on is said to be that instead.

    Returns:
        Whether its probabilities, or outlines, are shown: it is familiar, nothing is
        known of that, or they were asked for nevertheless.
    """
    ood = answer.ood
    if ood is None and answer.ood_problem:
        st.warning(plain(translate(answer.ood_problem)), icon=":material/help:")
    elif ood is None:
        st.caption(_nothing_known(answer))
    if ood is None or not is_unlike_training(answer):
        _say_if_learning_is_unknown(answer)
        return True
    outlines = isinstance(answer, Outlined)
    key = f"nevertheless-{answer.run.id}-{answer.case.key}"
    asked = bool(st.session_state.get(key))
    if asked:
        show_answer(_("Unlike the training data"))
    elif outlines:
        show_answer(_("Unlike the training data: no outline is shown."))
    else:
        show_answer(_("Unlike the training data: no prediction is shown."))
    st.warning(plain(why_unlike_training(ood, outlines)), icon=":material/help:")
    if asked:
        return True
    label = _("Show outline anyway") if outlines else _("Show prediction anyway")
    # Not by a rerun of the page, which would close a dialog.
    st.button(label, key=f"ask-{key}", on_click=_show_anyway, args=(key, answer.run.id))
    return False


def _nothing_known(answer: Judged) -> str:
    """Why nothing compares an image with the training data of its model."""
    if value_or_problem(lambda: answer.run.imported)[0]:
        return _(
            "The model was trained elsewhere: whether this image resembles its "
            "training data, or is one of them, is not known."
        )
    return _(
        "Whether this image resembles the training data is not known: the "
        "run has no reference.npz. It is lost, or the model was trained by "
        "a version that did not write one."
    )


def familiarity_or_reason(answer: Judged) -> str:
    """Whether the image resembles the training data, or why that is not known."""
    said = familiarity(answer)
    if answer.ood is not None or split_of(answer) == "train":
        return said
    reason = translate(answer.ood_problem) or _nothing_known(answer)
    return join_sentences(filter(None, [reason, said]))


def _show_anyway(key: str, run_id: str) -> None:
    st.session_state[key] = True
    audit.record("nevertheless", run=run_id, images=1)


def familiarity_below(answer: Judged) -> str:
    """`familiarity` for below `may_show_answer`, which has said what is unlike."""
    return "" if is_unlike_training(answer) else familiarity(answer)


def familiarity(answer: Judged) -> str:
    """Whether the image resembles the training data, as a sentence.

    Empty where nothing is known of that, which `may_show_answer` says.
    """
    split = split_of(answer)
    if split == "train" and isinstance(answer, Outlined):
        return _(
            "The model was trained on this very image: its outline says nothing about "
            "how it does on new ones."
        )
    if split == "train":
        return _(
            "The model was trained on this very image: its score says nothing about "
            "how it does on new ones."
        )
    resembles = resemblance(answer.ood, is_unlike_training(answer))
    validation = _(
        "This very image is one of the validation images, by which the training was "
        "steered: new images may fare worse."
    )
    sentences = [resembles, validation if split == "val" else ""]
    return join_sentences(filter(None, sentences))


def resemblance(ood: OodResult | None, unlike: bool) -> str:
    """Whether an image resembles the training data, and how well that is known.

    Args:
        ood: What the detector found; None where there is none.
        unlike: Whether the image is out of distribution.
    """
    if ood is None:
        return ""
    if unlike:
        return _("It is unlike the training data.")
    if not ood.basis.enough:
        return _(
            "It was not found to be unlike the training data, but that is known only "
            "roughly: it is judged by {judged}. Images of another kind may pass "
            "unnoticed.",
            judged=judged_images(ood.basis),
        )
    return _("It resembles the training data.")


def is_unlike_training(answer: Judged) -> bool:
    """Whether the image is out of distribution, and not one of the training images."""
    return ood_sentences.is_unlike_training(answer.ood, split_of(answer))


def split_of(answer: Judged) -> str:
    """The split of the run that holds this very image: train, val, or "" for none."""
    digests, _problem = _digests_of(answer.run)
    return digests.get(pixel_digest_of(answer.case), "")


def _say_if_learning_is_unknown(answer: Judged) -> None:
    if value_or_problem(lambda: answer.run.imported)[0]:
        return  # which was said before
    if problem := _digests_of(answer.run)[1]:
        st.caption(
            plain(
                _(
                    "Whether the model was trained on this very image is not known. "
                    "{reason}",
                    reason=translate(problem),
                )
            )
        )


def _digests_of(run: Run) -> tuple[dict[str, str], str]:
    """As from `training_digests`, and why they are not known."""
    path = run.split_path
    changed = path.stat().st_mtime_ns if path.exists() else 0
    return _training_digests(str(run.folder), changed)


# The second parameter only makes a new entry where the file has changed.
@st.cache_resource(max_entries=16, show_spinner=False)
def _training_digests(folder: str, changed: int) -> tuple[dict[str, str], str]:
    digests, problem = value_or_problem(training_digests, Run(Path(folder)))
    return digests or {}, problem


def show_neighbours(answer: Judged) -> None:
    """The training images that the network finds most like the image."""
    ood, run = answer.ood, answer.run
    if ood is None or not ood.neighbours:
        return
    st.markdown(_("#### Similar training images"), help=meaning("neighbours"))
    with st.container(horizontal=True):
        for neighbour in ood.neighbours:
            with st.container(width=_THUMBNAIL):
                _show_neighbour(run, neighbour)
    st.caption(_nearest_sentence(run))


def _nearest_sentence(run: Run) -> str:
    """What nearest means, and among which training images, where not among all."""
    digests, _problem = _digests_of(run)
    count = sum(split == "train" for split in digests.values())
    # The features of a frozen network's training images were there anyway.
    own = run.config.training == "frozen" and not run.config.encoder
    if own or count <= MOST_FITTED:
        return _(
            "Nearest by the features of the network. A distance of 1 is how far a "
            "validation image usually is from its nearest training image."
        )
    return _(
        "Nearest by the features of the network, among {some:,} of {all:,} training "
        "images drawn by chance. A distance of 1 is how far a validation image usually "
        "is from its nearest training image.",
        some=MOST_FITTED,
        all=count,
    )


def neighbour_text(config: TrainConfig, neighbour: Neighbour) -> str:
    """What stands below a training image that the image is like."""
    if config.segments:
        # Its label says what its mask holds, which is no class of the image.
        return _("distance {distance:.2f}", distance=neighbour.distance)
    label = neighbour.label
    if config.multi_label:
        label = " + ".join(split_findings(label)) or _("No finding")
    return _(
        "{label}, distance {distance:.2f}", label=label, distance=neighbour.distance
    )


def _show_neighbour(run: Run, neighbour: Neighbour) -> None:
    text = neighbour_text(run.config, neighbour)
    try:
        pixels = _training_image(run, neighbour.path)
    except (MedModelError, OSError):
        gone = _("not in the data set any more")
        st.markdown(f"{plain(text)}  \n:gray[{gone}]")
        return
    side = max(pixels.shape[:2])
    enlarged = plots.enlarged(pixels, _THUMBNAIL) if side < _THUMBNAIL else pixels
    st.image(
        png_bytes(plots.framed(enlarged)),
        caption=plain(text),
        output_format="PNG",
        alt=_("Training image, {label}", label=text),
    )


def _training_image(run: Run, path: str) -> Pixels:
    thumbnails: dict[tuple[str, str], Pixels] = st.session_state.setdefault(
        "neighbour-thumbnails", {}
    )
    key = (run.id, path)
    if key not in thumbnails:
        source = DataFile(safe_folder(run.config.dataset), path)
        opened = open_image(source, longest_side=_THUMBNAIL)
        thumbnails[key] = opened.decoded.pixels
        while len(thumbnails) > _MOST_THUMBNAILS:
            del thumbnails[next(iter(thumbnails))]
    return thumbnails[key]
