"""What this is, the three steps, and where one left off."""

from __future__ import annotations

import streamlit as st

from medmodel.core.environment import workspace_root
from medmodel.data.synthetic import SAMPLE_NAME
from medmodel.language import _
from medmodel.runs import run_index
from pages._shared.common import widgets
from pages._shared.common.widgets import page_header
from pages._shared.common.words import STATE_TITLES, ago, plain

STEPS = [
    (
        _("1. Data"),
        _(
            "One folder per class. Check images, classes, patients and splits, "
            "and find data leakage before training."
        ),
        widgets.DATASETS,
        _("Choose a data set"),
        ":material/folder_open:",
    ),
    (
        _("2. Train"),
        _(
            "Choose a recipe and press Train. Loss and accuracy are drawn "
            "live; training continues when the page is closed."
        ),
        widgets.TRAIN,
        _("Train a model"),
        ":material/play_circle:",
    ),
    (
        _("3. Diagnose"),
        _(
            "Upload an image: the probability of each class, and a saliency "
            "map of where the network was sensitive."
        ),
        widgets.DIAGNOSE,
        _("Diagnose an image"),
        ":material/image_search:",
    ),
]

SHOWN = 5

page_header(
    "MedModel",
    _(
        "Train an image classifier, watch it learn, and try it on your own "
        "images. All data stay on this server; results are given with 95 % "
        "confidence intervals where there are enough images."
    ),
)
found = run_index.entries(widgets.store(), latest=SHOWN + 1)
asked = [e for e in found if e.has_model]
# The step that comes next is the one primary button.
upcoming = widgets.DIAGNOSE if asked else widgets.TRAIN
for column, (title, text, page, label, icon) in zip(st.columns(3), STEPS, strict=True):
    with column, st.container(border=True, height="stretch"):
        st.subheader(title, anchor=False)
        st.markdown(text)
        kind = "primary" if page == upcoming else "secondary"
        if st.button(label, type=kind, icon=icon):
            st.switch_page(page)
# What a newcomer does first stands above what is for an audience.
newcomer = st.container()
# On a projector the menu's foot, with its button, is below the first screen.
st.caption(
    _(
        "Before an audience: the key **P**, or **Present** at the foot of the menu, "
        "shows one thing large. Arrow keys go through a demo, **?** shows all keys, "
        "and phones in the room may follow."
    )
)
if not found and (workspace_root() / "datasets" / SAMPLE_NAME).is_dir():
    newcomer.caption(
        _(
            "New here? A synthetic sample data set of CT-like images is "
            "included: press **Train a model**, then **Train**."
        )
    )
elif not found:  # it is being drawn, or was deleted: Train offers other data first
    newcomer.caption(
        _(
            "New here? Press **Choose a data set**, then **{sample}**: synthetic "
            "CT-like images to try things out.",
            sample=SAMPLE_NAME,
        )
    )
else:
    st.subheader(_("Recent runs"), anchor=False)
    for entry in found[:SHOWN]:
        facts = [_(STATE_TITLES[entry.status.state])]
        if entry.val_accuracy is not None:
            accuracy = entry.val_accuracy
            facts.append(_("{accuracy:.3f} accuracy on validation", accuracy=accuracy))
        if entry.val_dice is not None:
            facts.append(_("{dice:.3f} Dice on validation", dice=entry.val_dice))
        if entry.val_auc is not None:
            facts.append(_("{auc:.3f} mean AUC on validation", auc=entry.val_auc))
        # On a phone the facts stand below the name, which alone may be cut.
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.page_link(
                widgets.RUNS,
                label=f"**{plain(entry.title)}**",
                query_params={"run": entry.run.id},
            )
            st.caption(" · ".join([*facts, ago(entry.status.created)]), width="content")
    if len(found) > SHOWN:
        st.page_link(widgets.RUNS, label=_("All runs"), icon=":material/list:")
