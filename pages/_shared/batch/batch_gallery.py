"""The images of a batch, the strangest or the worst first, each closely."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from medmodel.batch import table
from medmodel.data.folders import safe_folder
from medmodel.language import _, ngettext
from medmodel.reports import plots
from medmodel.reports.case.predicted_class import with_tie
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import scored_classes
from pages._shared.batch.image_order import pick_order, pick_shown, table_orders
from pages._shared.batch.outline_gallery import (
    choose_outlined,
    look_closer_at_outline,
    outline_alt,
    outline_words,
    outlined_images,
)
from pages._shared.common.thumbnails import SIDE, small_images_of
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.multi_label.batch_view import (
    choose_by_finding,
    finding_alt,
    finding_words,
)
from pages._shared.multi_label.diagnosis_view import show_findings_of
from pages._shared.prediction.cases import dataset_case
from pages._shared.prediction.ood_view import may_show_answer
from pages._shared.prediction.prediction_cache import ask
from pages._shared.prediction.prediction_view import (
    bar_order,
    show_probabilities,
    show_saliency,
)

AT_ONCE = 12


@st.fragment
def show_gallery(batch: Run, model: Run | None, rows: pd.DataFrame) -> None:
    """The images in the order that is chosen, some at a time.

    Args:
        batch: The batch.
        model: The run whose model was asked; None where it is gone.
        rows: As from `results.described`.
    """
    choose = {"dice": choose_outlined, "auc": choose_by_finding}
    images = choose.get(batch.config.metric, _chosen)(batch, rows)
    shown = f"batch-shown-{batch.id}"
    count = st.session_state.setdefault(shown, AT_ONCE)
    st.markdown(ngettext("**{count:,} image**", "**{count:,} images**", len(images)))
    _show_tiles(batch, model, images.head(count))
    if len(images) > count and st.button(
        _("Show {count} more", count=min(AT_ONCE, len(images) - count)),
        icon=":material/add:",
    ):
        st.session_state[shown] = count + AT_ONCE
        st.rerun(scope="fragment")


def _chosen(batch: Run, rows: pd.DataFrame) -> pd.DataFrame:
    order = pick_order(
        batch,
        table_orders(rows),
        _(
            "Strangest: unlike the training data, then farthest from it. Most "
            "uncertain: the two highest scores are closest. Worst: the class that the "
            "folder or the table says got the lowest score."
        ),
    )
    name = pick_shown(batch, _("Predicted class"), scored_classes(rows), _("Any"))
    images = table.ordered(rows, order)
    return images[images["predicted"] == name] if name else images


def _show_tiles(batch: Run, model: Run | None, rows: pd.DataFrame) -> None:
    outlines = batch.config.segments
    if outlines:
        thumbnails = outlined_images(batch, model, rows)
    else:
        thumbnails = small_images_of(batch.config.dataset, list(rows["path"]))
    say, describe = {
        "dice": (outline_words, outline_alt),
        "auc": (finding_words, finding_alt),
        "accuracy": (tile_words, _alt),
    }[batch.config.metric]
    with st.container(horizontal=True, gap="small"):
        tiles = zip(rows.iterrows(), thumbnails, strict=True)
        for number, ((_at, row), thumbnail) in enumerate(tiles, 1):
            with st.container(width=SIDE, gap="xxsmall"):
                if isinstance(thumbnail, str):
                    st.caption(plain(thumbnail))
                else:
                    st.image(thumbnail, width=SIDE, alt=describe(row))
                st.caption(say(row))
                # Buttons of one name cannot be told apart by ear.
                title = _("Details {number}", number=number)
                if st.button(title, key=f"batch-{row['path']}", width="stretch"):
                    st.dialog(_("One image"), width="large")(_look_closer)(
                        batch, model, row
                    )


def _alt(row: Any) -> str:
    if row.unlike_training == 1:
        return _("Image that is unlike the training data")
    return _("Image with predicted class {prediction}", prediction=row.predicted)


def tile_words(row: Any) -> str:
    """What stands below an image, as Markdown: no class where Diagnose gives none."""
    if row.unlike_training == 1:
        return "**" + _("Unlike the training data") + "**"
    choice = f"{plain(row.predicted)} {plain(plots.per_cent(row.score))}"
    choice = with_tie(choice, row.tied == 1)
    if row.label in ("", row.predicted):
        return choice
    return _(
        "**{prediction}**, true class {label} {score}",
        prediction=choice,
        label=plain(row.label),
        score=plain(plots.per_cent(row.label_score)),
    )


def _look_closer(batch: Run, model: Run | None, row: Any) -> None:
    """The image, what is known of it, every class's score and the saliency map."""
    with errors_shown():
        st.text(row.path)
        if row.label and not batch.config.multi_label:  # whose view says it
            st.markdown(
                _("True class in the data set: **{label}**", label=plain(row.label))
            )
        if model is None:
            st.caption(_("The model was deleted: it cannot be asked again."))
            return
        if batch.config.segments:
            look_closer_at_outline(batch, model, row.path)
            return
        folder = safe_folder(batch.config.dataset)
        preprocessing = model.model_facts.preprocessing
        case = dataset_case(folder, row.path, row.label, preprocessing)
        if batch.config.multi_label:
            show_findings_of(model, case)
            return
        with st.spinner(_("Asking the model …")):
            (answer,) = ask(model, [case])
        if not may_show_answer(answer):
            return
        show_probabilities(
            answer, plots.class_colours(answer.classes), bar_order(answer)
        )
        show_saliency(answer)
