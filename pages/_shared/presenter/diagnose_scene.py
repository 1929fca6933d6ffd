"""Step Diagnose: one image, its saliency map, and every class's probability."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from medmodel.audience.slide import Bar, Image, Slide
from medmodel.core import audit
from medmodel.core.errors import value_or_problem
from medmodel.imaging.images import Pixels, png_bytes, thumbnail
from medmodel.language import _, join_sentences, ngettext, translate
from medmodel.reports import plots
from medmodel.reports.multi_label.finding_sentences import predicted_sentence
from medmodel.runs import run_index
from medmodel.runs.run import Run
from pages._shared.common import widgets
from pages._shared.evaluation.evaluation_view import model_sentence
from pages._shared.multi_label.diagnosis_view import as_shown, decisions_of
from pages._shared.prediction.cases import (
    Case,
    pixels_of,
    test_samples,
)
from pages._shared.prediction.image_viewer import Layer
from pages._shared.prediction.ood_view import (
    familiarity_or_reason,
    is_unlike_training,
)
from pages._shared.prediction.prediction_cache import (
    Answer,
    ask,
    ask_findings,
    heatmap_of,
    starting,
    warm,
)
from pages._shared.prediction.prediction_view import (
    NO_OUTLINE,
    calibration_sentence,
    viewed,
    with_map,
)
from pages._shared.presenter.curves_scene import model_state
from pages._shared.presenter.finding_slides import finding_bars, finding_notes
from pages._shared.presenter.scene import Scene, go_to, turned
from pages._shared.presenter.subject import (
    chosen_run,
    instead_of_chosen,
    trainings,
    with_notes,
)

MOST_BARS = 5
SIDE = 512
OPACITY = 0.6
_AT = "presented-case"
_SAMPLES = "presented-samples"


def diagnose_scene() -> Scene:
    """The image last uploaded in this session, or one of the test split.

    Raises:
        MedModelError: The run is not there, or its model cannot be asked.
    """
    if not st.session_state.get("consent"):
        return _consent()
    run = _model()
    if run is None:
        return _without_model()
    return with_notes(_scene_of(run), instead_of_chosen(run))


def _scene_of(run: Run) -> Scene:
    warm(run)
    cases = _cases(run)
    if not cases:
        return _without_image(run)
    if starting():
        slide = Slide(
            _("Diagnose"),
            _("Loading the model"),
            _("It takes longest the first time."),
            state="busy",
        )
        return Scene(slide, live=True)
    at = min(st.session_state.get(_AT, len(cases) - 1), len(cases) - 1)
    answer = _asked(run, cases[at])
    slide, viewer = _slide(answer, at, len(cases))
    return Scene(slide, turn=lambda by: _turn(len(cases), at, by), viewer=viewer)


def _asked(run: Run, case: Case) -> Answer:
    """What the model says, with probabilities as they are shown."""
    if not run.config.multi_label:
        return ask(run, [case])[0]
    answer = ask_findings(run, [case])[0]
    return as_shown(answer, decisions_of(run, answer.classes))


def _consent() -> Scene:
    def agree() -> None:
        st.session_state["consent"] = True
        audit.record("consent", page="present")

    slide = Slide(
        _("Diagnose"),
        _("Not for clinical use"),
        _(
            "A model's score is not a diagnosis, and nothing shown here may "
            "decide about a patient."
        ),
        state="empty",
    )
    return Scene(slide, _("I understand"), agree)


def _model() -> Run | None:
    """The chosen run if it has a model, else the newest that has one."""
    asked = chosen_run()
    candidates = [asked] if asked is not None else []
    candidates += [e.run for e in trainings()]
    finished = {e.run.id for e in run_index.finished(widgets.store(), multi_label=True)}
    return next((run for run in candidates if run.id in finished), None)


def _without_model() -> Scene:
    run = chosen_run()
    sentence = _("A trained model answers here about an image.")
    slide = Slide(
        _("Diagnose"),
        _("No model yet"),
        sentence if run is None else model_state(run),
        state="empty" if run is None else "busy",
    )
    active = run is not None and run.status.state.active
    step = "curves" if active else "train"
    title = _("Watch it learn") if active else _("Go to Train")
    return Scene(slide, title, lambda: go_to(step), live=active)


def _cases(run: Run) -> list[Case]:
    """The images of this session, the last uploaded one last; else samples."""
    cases = st.session_state.get("cases-diagnose", {}).values()
    uploaded = [case for case in cases if isinstance(case, Case)]
    if uploaded or not st.session_state.get(_SAMPLES):
        return uploaded
    return test_samples(run, run.model_facts.preprocessing)


def _without_image(run: Run) -> Scene:
    def take() -> None:
        st.session_state[_SAMPLES] = True
        st.session_state[_AT] = 0

    slide = Slide(
        _("Diagnose"),
        _("No image yet"),
        _(
            "Drop one on the page Diagnose, or take some from the test split of {run}.",
            run=run.title,
        ),
        state="empty",
    )
    return Scene(slide, _("Take images from the test split"), take)


def _turn(count: int, at: int, by: int) -> None:
    st.session_state[_AT] = turned(count, at, by)


def _slide(answer: Answer, at: int, count: int) -> tuple[Slide, dict[str, Any]]:
    """The slide, and its images as `show_viewer` takes them."""
    several = answer.run.config.multi_label
    notes = [] if several else [calibration_sentence(answer.prediction.temperature)]
    if count > 1:
        notes.append(_("Image {number} of {count}.", number=at + 1, count=count))
    case, viewer = answer.case, viewed(answer.case)
    title = _("As in the data set") if case.label else _("As uploaded")
    image = Image(title, _("The image"), _png(pixels_of(case)))
    slide = Slide(_("Diagnose"), "", images=(image,), notes=tuple(notes))
    if is_unlike_training(answer):
        unlike = replace(
            slide,
            title=_("Unlike the training data"),
            sentence=_(
                "The model has seen hardly anything like this image: its "
                "probabilities are not shown."
            ),
        )
        return unlike, viewer
    with_answer = _with_findings if several else _with_answer
    return with_answer(slide, viewer, answer)


def _with_answer(
    slide: Slide, viewer: dict[str, Any], answer: Answer
) -> tuple[Slide, dict[str, Any]]:
    shown_map = _map_of(answer, answer.first_choice)
    if answer.decision:
        slide = replace(slide, notes=(*slide.notes, answer.decision))
    sentence = f"{answer.run.title}."
    if answer.case.label:
        sentence = _(
            "{run}. True class: {label}.", run=answer.run.title, label=answer.case.label
        )
    worth = join_sentences([familiarity_or_reason(answer), model_sentence(answer.run)])
    shown = replace(
        slide,
        title=answer.predicted_sentence,
        sentence=sentence,
        images=(*slide.images, *shown_map.images),
        bars=_bars(answer),
        notes=(shown_map.note, worth, *slide.notes),
    )
    return shown, shown_map.laid_over(answer, viewer)


def _with_findings(
    slide: Slide, viewer: dict[str, Any], answer: Answer
) -> tuple[Slide, dict[str, Any]]:
    """The same of several findings: those above their thresholds, and a map of one."""
    decisions = decisions_of(answer.run, answer.classes)
    shown_map = _map_of(answer, int(answer.probabilities.argmax()))
    sentence = f"{answer.run.title}."
    if answer.case.label:
        sentence = _(
            "{run}. Findings in the data set: {label}.",
            run=answer.run.title,
            label=answer.case.label,
        )
    shown = replace(
        slide,
        title=predicted_sentence(answer.probabilities, decisions),
        sentence=sentence,
        images=(*slide.images, *shown_map.images),
        bars=finding_bars(answer, decisions, MOST_BARS),
        notes=(
            shown_map.note,
            familiarity_or_reason(answer),
            *finding_notes(decisions, MOST_BARS),
            *slide.notes,
        ),
    )
    return shown, shown_map.laid_over(answer, viewer)


@dataclass(frozen=True)
class _ShownMap:
    """A saliency map, or why there is none.

    Args:
        note: What the map shows, or why there is none.
        images: The map, for the slide.
        layer: For the viewer; None without a map.
    """

    note: str
    images: tuple[Image, ...] = ()
    layer: Layer | None = None

    def laid_over(self, answer: Answer, viewer: dict[str, Any]) -> dict[str, Any]:
        """The viewer's arguments with the map over the image."""
        return with_map(answer, viewer, self.layer) if self.layer else viewer


def _map_of(answer: Answer, position: int) -> _ShownMap:
    """The saliency map of a class, for the slide and for the viewer."""
    name = answer.classes[position]
    heatmap, problem = value_or_problem(heatmap_of, answer, position)
    if heatmap is None:
        return _ShownMap(translate(problem))
    overlay = plots.overlay(plots.enlarged(answer.pixels, SIDE), heatmap, OPACITY)
    caption = plots.heatmap_caption(heatmap, name)
    title = _("Saliency map: {name}", name=name)
    alt = _("Heat map for {name} laid over the image", name=name)
    image = Image(title, caption, png_bytes(overlay))
    layer = Layer(title, caption, alt, overlay, warning=_(NO_OUTLINE))
    return _ShownMap(caption, (image,), layer)


def _bars(answer: Answer) -> tuple[Bar, ...]:
    colours = plots.class_colours(answer.classes)
    order = np.argsort(-answer.probabilities, kind="stable")
    bars = []
    for place in order[:MOST_BARS]:
        share, name = float(answer.probabilities[place]), answer.classes[place]
        bars.append(Bar(name, share, plots.per_cent(share), colours[name]))
    rest = order[MOST_BARS:]
    if len(rest):
        share = float(answer.probabilities[rest].sum())
        name = ngettext("{count} more class", "{count} more classes", len(rest))
        bars.append(Bar(name, share, plots.per_cent(share), "#8a8a8a"))
    return tuple(bars)


def _png(pixels: Pixels) -> bytes:
    return png_bytes(plots.enlarged(thumbnail(pixels, SIDE), SIDE))
