"""How good a run is, on one screen: the honest frame first, then the numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.core.errors import DataError, MedModelError, value_or_problem
from medmodel.evaluation.evaluation import Evaluation
from medmodel.evaluation.intervals.minima import MINIMA
from medmodel.evaluation.predictions import shared_patients
from medmodel.language import _, join_sentences, ngettext, translate
from medmodel.reports.run_facts import (
    few_patients,
    images_of_patients,
    metrics_with_copies,
    sample_size_warnings,
)
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible, one_of
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import folder_name
from pages._shared.common.words import plain
from pages._shared.evaluation.advice_view import VIEW

_NAMED = 5


def evaluated(run: Run) -> Evaluation:
    """The test split's evaluation, computed once per version of predictions.csv.

    Raises:
        RunError: There are no predictions yet, or they cannot be read.
        DataError: The table holds no test image.
    """
    return run_cache.evaluation(run)


def model_sentence(run: Run) -> str:
    """What the model is worth: its accuracy, with interval and n."""
    try:
        evaluation = evaluated(run)
    except DataError:  # its predictions hold no test image
        return _("This model was not tested on a test split.")
    except MedModelError as error:
        return _(
            "How well this model does on test images is not known. {reason}",
            reason=translate(str(error)),
        )
    return _(
        "Model: accuracy {accuracy} on {images:,} test images.",
        accuracy=evaluation.accuracy,
        images=evaluation.images,
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _shared_patients(folder: str, version: int) -> int | None:
    return shared_patients(Run(Path(folder)))


def pick_part(parts: Sequence[str], control: Callable[..., str] = one_of) -> str:
    """The part of an evaluation that is shown; kept in the address as ?view=.

    Args:
        parts: In English, as the address has them: a link holds in every language.
        control: Streamlit's: `st.pills` where the row is so long that it breaks.
    """
    linked = st.query_params.get(VIEW)
    st.session_state[VIEW] = linked if linked in parts else parts[0]
    return control(
        _("What to look at"),
        parts,
        format_func=legible(_),
        required=True,
        key=VIEW,
        on_change=_keep_part,
        label_visibility="collapsed",
    )


def _keep_part() -> None:
    st.query_params[VIEW] = st.session_state[VIEW]


def show_frame(run: Run, evaluation: Evaluation) -> None:
    """What was tested and how far that can be trusted, in as few lines as it takes."""
    overlap, problem = patient_overlap(run)
    reservations = _reservations(run, evaluation, overlap, problem)
    show_tested_images(run, (evaluation.images, evaluation.patients), reservations)


def patient_overlap(run: Run) -> tuple[int | None, str]:
    """Patients of the test who are elsewhere, too; and why that is not known."""
    folder, version = str(run.folder), run_cache.version(run)
    return value_or_problem(_shared_patients, folder, version)


def show_tested_images(
    run: Run, tested: tuple[int, int], reservations: Sequence[str]
) -> None:
    """What was tested, and why the numbers may promise too much.

    Args:
        run: What was tested.
        tested: Images and patients; 0 where these are unknown.
        reservations: A sentence for each reason.
    """
    overlap, problem = patient_overlap(run)
    sentences = [_measured_sentence(run, *tested)]
    if run.tested_model:
        sentences.append(_mapping_sentence(run))
    elif not problem:
        sentences.append(_split_sentence(overlap))
    with st.container(gap="xxsmall"):
        st.markdown(
            join_sentences(filter(None, sentences)), help=meaning("split", "leakage")
        )
        for sentence in reservations:
            st.markdown(f":orange[:material/warning:] {plain(sentence)}")


def _reservations(
    run: Run, evaluation: Evaluation, overlap: int | None, problem: str
) -> list[str]:
    """Why the numbers may promise too much, a sentence for each reason.

    Args:
        run: What was tested.
        evaluation: Its numbers.
        overlap: Patients of the test who are elsewhere, too; None if unknown.
        problem: Why its split cannot be read; "" if it can.
    """
    reservations = leakage_reservations(run, overlap, problem)
    if 0 < evaluation.patients < MINIMA["accuracy"].patients:
        reservations.append(few_patients(evaluation.patients))
    if evaluation.tied:
        reservations.append(evaluation.ties)
    if problem:
        return reservations
    few = sample_size_warnings(run, evaluation, run_cache.class_counts(run))
    return [*reservations, join_sentences(few)] if few else reservations


def leakage_reservations(run: Run, overlap: int | None, problem: str) -> list[str]:
    """That test images are copies, or their patients elsewhere, too, in sentences.

    Args:
        run: What was tested.
        overlap: Patients of the test who are elsewhere, too; None if unknown.
        problem: Why its split cannot be read; "" if it can.
    """
    reservations = []
    if run_cache.copies(run).paths:
        reservations.append(str(run_cache.copies(run)))
    if overlap:
        reservations.append(
            ngettext(
                "{count:,} patient number of the test split also occurs in training or "
                "validation: where it is the same person, expect worse on new "
                "patients.",
                "{count:,} patient numbers of the test split also occur in training or "
                "validation: where they are the same people, expect worse on new "
                "patients.",
                overlap,
            )
        )
    if problem:
        unknown = _(
            "Whether patients of the test split also occur in training or validation "
            "is not known. {reason}",
            reason=translate(problem),
        )
        reservations.append(unknown)
    return reservations


def _measured_sentence(run: Run, images: int, patients: int) -> str:
    """On how many images, of how many patients, and of which data."""
    count = images_of_patients(images, patients)
    if not run.tested_model:
        return _("Measured on **{images}** of the test split.", images=count)
    return _(
        "Measured on **{images}** of an **external** data set, {dataset}.",
        images=count,
        dataset=plain(folder_name(run.config.dataset)),
    )


def show_frame_details(run: Run, evaluation: Evaluation) -> None:
    """What a single number is to be measured against, below the numbers."""
    st.caption(
        plain(
            _(
                "{baseline} {resolution} Intervals are 95 %. Seed {seed}.",
                baseline=evaluation.baseline_sentence,
                resolution=evaluation.resolution,
                seed=run.config.seed,
            )
        ),
        help=meaning("majority class", "interval"),
    )
    copies = run_cache.copies(run)
    if not copies.paths:
        st.caption(plain(copies))
    elif not copies.all_are_copies:
        st.caption(plain(metrics_with_copies(run_cache.evaluation_with_copies(run))))


def _mapping_sentence(run: Run) -> str:
    renamed = [
        _("{there} counts as {here}", there=plain(there), here=plain(here))
        for there, here in run.class_mapping.items()
        if there.casefold() != here.casefold()
    ]
    if len(renamed) > _NAMED:
        rest = len(renamed) - _NAMED
        more = ngettext("{count} more is renamed", "{count} more are renamed", rest)
        renamed = [*renamed[:_NAMED], more]
    return _("There, {classes}.", classes=", ".join(renamed)) if renamed else ""


def _split_sentence(overlap: int | None) -> str:
    if overlap is None:
        return _("Split by **image**: patients are not known.")
    if overlap:
        return ""  # whether they are the same people is a reservation
    return _("Split by **patient**: no patient number is in more than one split.")


def show_classes(evaluation: Evaluation) -> None:
    """Every class in one line."""
    st.markdown(_("**Class by class**"))
    rows = pd.DataFrame(
        {
            _("Class"): [result.name for result in evaluation.per_class],
            _("Sensitivity"): [
                result.sensitivity.beside_its_class for result in evaluation.per_class
            ],
            _("Precision"): [
                result.precision.beside_its_class for result in evaluation.per_class
            ],
            "AUC": [result.auc.beside_its_class for result in evaluation.per_class],
        }
    )
    show_table(
        rows,
        hide_index=True,
        height="content" if len(rows) <= 12 else 460,
        column_config={
            _("Sensitivity"): st.column_config.TextColumn(
                help=meaning("sensitivity (recall)", "interval")
            ),
            _("Precision"): st.column_config.TextColumn(
                help=meaning("positive predictive value (PPV, precision)", "interval")
            ),
            "AUC": st.column_config.TextColumn(help=meaning("AUC", "interval")),
        },
        alt=_("Sensitivity, precision and area under the ROC curve of every class"),
    )


def confusion_table(evaluation: Evaluation) -> pd.DataFrame:
    """The confusion matrix as a table to take away."""
    table = pd.DataFrame(evaluation.confusion, columns=evaluation.classes)
    table.insert(
        0, _("true class \\ predicted class"), evaluation.classes, allow_duplicates=True
    )
    return table
