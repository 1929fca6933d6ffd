"""Diagnose: images in, every class's probability and a heat map out."""

from __future__ import annotations

import streamlit as st

from medmodel.core.errors import MedModelError, PredictionError
from medmodel.data.sample_size import test_warnings
from medmodel.language import _, format_number, join_sentences, ngettext, translate
from medmodel.reports import plots
from medmodel.runs import run_index, run_table
from medmodel.runs.run import Run
from pages._shared.common import run_cache, widgets
from pages._shared.common.consent import ask_consent
from pages._shared.common.glossary import meaning
from pages._shared.common.image_view import SIDE, show_image
from pages._shared.common.model_choice import any_model, distinct_labels, pick_model
from pages._shared.common.trash_view import show_missing_dataset
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.evaluation.evaluation_view import evaluated, model_sentence
from pages._shared.multi_label.diagnosis_view import (
    pick_case,
    show_findings_of,
    worth_sentence,
)
from pages._shared.prediction.case_table import show_cases, step_through
from pages._shared.prediction.cases import (
    MOST_IMAGES,
    Case,
    pixels_of,
    refused,
    test_samples,
    uploaded,
)
from pages._shared.prediction.conformal_view import show_set
from pages._shared.prediction.ood_view import (
    familiarity,
    familiarity_below,
    may_show_answer,
    show_neighbours,
)
from pages._shared.prediction.prediction_cache import Answer, ask, asking, warm
from pages._shared.prediction.prediction_view import (
    bar_order,
    calibration_sentence,
    show_bars_of,
    show_original,
    show_prediction,
    show_probabilities,
    show_saliency,
    show_unanswered,
)
from pages._shared.prediction.report_view import show_report
from pages._shared.prediction.risk_view import show_risk
from pages._shared.prediction.scan_view import choose_frame
from pages._shared.prediction.segmentation_view import dice_sentence, show_outlined
from pages._shared.prediction.several_models_view import places, show_heatmaps
from pages._shared.prediction.uploaded_files import (
    SAMPLES,
    kept_files,
    take_photo,
    uploaded_files,
)
from pages._shared.prediction.verdict_view import show_verdict

OTHERS = "other-runs"
MOST_MODELS = 4
# So many models also say how sure they are; more are for a glance.
_CLOSELY = 2
# Shares of the title, the list of models and, beside images, the field for more.
_EMPTY, _BUSY = [1.2, 2.3], [0.85, 1.6, 1.05]
# Letters that the lists of models have room for, beside images and without any.
_WIDEST, _WIDEST_ALONE = 38, 52


def get_cases(run: Run) -> tuple[list[Case], str]:
    """The images to look at: uploaded ones, else samples if they were asked for.

    Returns:
        The images, and what is said of samples; "" of uploaded ones.
    """
    files = uploaded_files()
    if len(files) > MOST_IMAGES:
        st.warning(
            _(
                "{images} images were dropped; the first {most} are shown. Drop the "
                "others afterwards.",
                images=len(files),
                most=MOST_IMAGES,
            )
        )
    first = run.model_facts.preprocessing
    if not files and st.session_state.get(SAMPLES):
        cases = test_samples(run, first)
        return cases, samples_sentence(run, len(cases))
    return uploaded(files[:MOST_IMAGES], first), ""


def samples_sentence(run: Run, images: int) -> str:
    """Where sample images come from, and what is known of them."""
    if run.config.segments:
        return _(
            "{images} images from this run's test split; their masks are known.",
            images=images,
        )
    if run.config.multi_label:
        return _(
            "{images} images from this run's test split; their findings are known.",
            images=images,
        )
    return _(
        "{images} images from this run's test split; their true classes are known.",
        images=images,
    )


def show_refused() -> None:
    """One sentence for each file that could not be read."""
    sentences = [plain(translate(case.reason)) for case in refused()]
    if sentences:
        st.warning("\n".join(f"* {x}" for x in sentences[:4]))
    if len(sentences) > 4:
        with st.expander(
            ngettext(
                "{count} more file could not be read",
                "{count} more files could not be read",
                len(sentences) - 4,
            )
        ):
            st.markdown("\n".join(f"* {x}" for x in sentences[4:]))


def _what_will_stand(run: Run) -> str:
    if run.config.segments:
        return _("**No image yet.** Here will stand the image with outlines, measured.")
    if run.config.multi_label:
        return _(
            "**No image yet.** Here will stand the image, the saliency map and the "
            "probability of each finding, side by side."
        )
    return _(
        "**No image yet.** Here will stand the image, its saliency map and "
        "the probability of every class, side by side."
    )


def _looked_at() -> bool:
    """Whether images were given, which then need the room of the first screen."""
    return bool(kept_files() or st.session_state.get(SAMPLES))


def show_empty(run: Run) -> None:
    """What will be here, the field for images, and one click that shows samples."""
    with st.container(border=True):
        st.markdown(_what_will_stand(run))
        if not _looked_at():
            uploaded_files()
        with st.container(horizontal=True, vertical_alignment="center"):
            _offer_samples(run)
            if not _looked_at():
                take_photo()


def _offer_samples(run: Run) -> None:
    if show_missing_dataset(run.config.dataset):
        return
    if st.button(_("Try 3 images from this run's test split"), type="primary"):
        st.session_state[SAMPLES] = True
        st.rerun()


def other_runs(run: Run) -> list[Run]:
    """The models that answer beside the first one, as many as were asked for."""
    entries = run_index.finished(widgets.store())
    others = {e.run.id: e.run for e in entries if e.run.id != run.id}
    if not others:
        return []
    names = distinct_labels(run_table.distinct_names(entries), _WIDEST)
    # A run may have been deleted since, or become the first one.
    st.session_state[OTHERS] = [
        run_id for run_id in st.session_state.get(OTHERS, []) if run_id in others
    ]
    chosen = st.multiselect(
        _("Compare with"),
        list(others),
        format_func=names.__getitem__,
        max_selections=MOST_MODELS - 1,
        placeholder=_("Up to {most} other models", most=MOST_MODELS - 1),
        key=OTHERS,
    )
    return [others[run_id] for run_id in chosen]


def baseline_sentences(run: Run) -> str:
    """What limits that accuracy: baseline, copies, few images; "" without a test."""
    try:
        evaluation = evaluated(run)
    except MedModelError:
        return ""
    few = test_warnings({c.name: {"test": c.images} for c in evaluation.per_class})
    baseline = _(
        "{baseline}: accuracy {accuracy}.",
        baseline=evaluation.baseline_name,
        accuracy=format_number(evaluation.baseline.value, ".3f"),
    )
    copies = run_cache.copies(run)
    leaked = [str(copies)] if copies.paths or copies.unknown else []
    return join_sentences([baseline, *leaked, *few])


def show_case(runs: list[Run], cases: list[Case], chosen: int) -> None:
    """The chosen image through one model, or several side by side; then all images."""
    try:
        with st.spinner(asking()):
            of_all = [ask(run, cases) for run in runs]
    except PredictionError as error:
        show_unanswered(cases[chosen], str(error))
        return
    show_chosen(runs, cases, of_all, chosen)
    if len(cases) > 1:
        show_cases(of_all[0], refused(), chosen)


def show_chosen(
    runs: list[Run], cases: list[Case], of_all: list[list[Answer]], chosen: int
) -> None:
    """The chosen image and what the models say of it.

    Args:
        runs: The models.
        cases: All images.
        of_all: Of each model its answers, one for each image.
        chosen: Position of the image to show.
    """
    answers = [of_model[chosen] for of_model in of_all]
    case = choose_frame(cases[chosen])
    if case is not cases[chosen]:
        try:
            answers = [ask(run, [case])[0] for run in runs]
        except PredictionError as error:
            show_unanswered(case, str(error))
            return
    if len(runs) == 1:
        show_alone(answers[0])
        return
    if case.label:
        st.markdown(
            _("True class in the data set: **{label}**", label=plain(case.label))
        )
    shown = show_answers(answers)
    if shown:
        show_heatmaps(shown)
    else:
        with st.container(width=SIDE):
            show_image(
                pixels_of(case), f"{case.name}, {case.file.text}", _("The image")
            )
    st.markdown(f":gray[{plain(runs[0].title)}]")
    show_neighbours(answers[0])


def show_alone(answer: Answer) -> None:
    """One sentence, then image, saliency map and bars side by side; the rest below."""
    case, run = answer.case, answer.run
    sentence = st.container(gap="xsmall")
    left, right = st.columns([2, 1.4], gap="medium")
    with sentence:
        shown = may_show_answer(answer)
        if shown:
            show_prediction(answer)
        known = (
            _("True class in the data set: {label}.", label=case.label)
            if case.label
            else ""
        )
        sentences = filter(
            None, [known, familiarity_below(answer), model_sentence(run)]
        )
        resembles = meaning("out-of-distribution (OOD)", "accuracy", "interval")
        st.markdown(plain(join_sentences(sentences)), help=resembles)
    with left:
        if shown:
            show_saliency(answer)
        else:
            show_original(case)
    if shown:
        with right:
            colours = plots.class_colours(answer.classes)
            show_bars_of(answer, colours, bar_order(answer))
            show_calibrated(answer)
            st.caption(plain(baseline_sentences(run)), help=meaning("majority class"))
            with errors_shown():
                show_verdict(answer)
            show_set(answer)
        show_risk(answer)
    with errors_shown():
        show_report(answer, shown)
    show_neighbours(answer)


def show_calibrated(answer: Answer) -> None:
    """Whether the probabilities are calibrated, what that is, and why it cannot be."""
    sentence = calibration_sentence(answer.prediction.temperature)
    st.caption(sentence, help=meaning("calibrated probability", "calibration"))
    if problem := answer.prediction.calibration_problem:
        st.warning(
            plain(
                _(
                    "The calibration that was stored with this model cannot be used. "
                    "{reason}",
                    reason=translate(problem),
                )
            ),
            icon=":material/help:",
        )


def show_answers(answers: list[Answer]) -> list[Answer]:
    """Every model's bars; returns the answers whose probabilities are shown."""
    names = [name for answer in answers for name in answer.classes]
    colours = plots.class_colours(list(dict.fromkeys(names)))
    example: list[str] = []
    shown: list[Answer] = []
    for column, answer in zip(places(len(answers)), answers, strict=True):
        with column:
            if len(answers) > 1:
                st.markdown(f":gray[{plain(answer.name)}]")
            if not may_show_answer(answer):
                continue
            order = bar_order(answer, example)
            example = example or [answer.classes[i] for i in order]
            show_probabilities(answer, colours, order)
            show_calibrated(answer)
            if resembles := familiarity(answer):
                entry = meaning("out-of-distribution (OOD)")
                st.caption(plain(resembles), help=entry)
            if len(answers) <= _CLOSELY:
                with errors_shown():
                    show_verdict(answer)
                show_set(answer)
            shown.append(answer)
    return shown


def _offer_training() -> None:
    """What the page is for, where there is no model yet."""
    if not any_model(segmentations=True, multi_label=True):
        widgets.empty_state(
            _("No model yet. When a run has ended, it answers here about your images."),
            widgets.TRAIN,
            _("Train a model"),
        )


def show() -> None:
    looked_at = _looked_at()
    title, models, *beside = st.columns(_BUSY if looked_at else _EMPTY, gap="medium")
    with title:
        widgets.page_header(_("Diagnose"), _("A model's prediction for an image."))
    with models:
        run = pick_model(
            "diagnose",
            widest=_WIDEST if looked_at else _WIDEST_ALONE,
            segmentations=True,
            multi_label=True,
        )
    if run is None:
        _offer_training()
        return
    if not ask_consent("diagnose"):
        return
    warm(run)
    segments, multi_label = run.config.segments, run.config.multi_label
    if not looked_at:
        # What its owner removed is forgotten.
        cases, note = uploaded([], run.model_facts.preprocessing), ""
    else:
        with title:
            take_photo()
        with beside[0]:
            cases, note = get_cases(run)
            if note and not multi_label:
                st.caption(f":material/science: {note}")
    with models:
        alone = segments or multi_label
        others = other_runs(run) if cases and not alone else []
        # Below the images' field it would push the answer off the first screen.
        case = pick_case(cases, note) if multi_label and cases else None
        chosen = step_through(cases) if len(cases) > 1 and not alone else 0
    show_refused()
    if case is not None:
        show_findings_of(run, case)
    elif multi_label:
        st.caption(plain(worth_sentence(run)))
        show_empty(run)
    elif segments and cases:
        show_outlined(run, cases)
    elif segments:
        st.caption(plain(dice_sentence(run)))
        show_empty(run)
    elif cases:
        show_case([run, *others], cases, chosen)
    else:
        st.caption(
            plain(join_sentences([model_sentence(run), baseline_sentences(run)]))
        )
        show_empty(run)


with errors_shown():
    show()
