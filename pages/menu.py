"""The table of contents: name, logo, sections and pages."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel.language import N_, _
from pages._shared.common.charts import follow_theme
from pages._shared.common.history import mend_history
from pages._shared.common.session_language import (
    offer_languages,
    speak_session_language,
)
from pages._shared.common.widgets import errors_shown, not_for_clinical_use
from pages._shared.presenter.entry import enter_presenter_mode, offer_presenter_mode

ROOT = Path(__file__).resolve().parent
ASSETS = ROOT.parent / "assets"

SIDEBAR = 264
"""Width of the menu in pixels: a projector has 1,280."""

st.set_page_config(
    "MedModel",
    page_icon=ASSETS / "icon.png",
    layout="wide",
    initial_sidebar_state=SIDEBAR,
)
speak_session_language()
st.logo(ASSETS / "logo.svg", size="large", icon_image=ASSETS / "icon.svg")
SECTIONS = {
    "": [("home/start.py", N_("Start"), ":material/home:")],
    N_("Data"): [
        ("data/datasets.py", N_("Data sets"), ":material/folder_open:"),
        ("data/enhance.py", N_("Enhance"), ":material/tune:"),
        ("data/privacy.py", N_("Privacy"), ":material/shield_person:"),
    ],
    N_("Models"): [
        ("models/train.py", N_("Train"), ":material/play_circle:"),
        ("models/runs.py", N_("Runs"), ":material/monitoring:"),
        ("models/sweep.py", N_("Sweep"), ":material/science:"),
        ("models/import_model.py", N_("Import"), ":material/upload_file:"),
    ],
    N_("Results"): [
        ("results/diagnose.py", N_("Diagnose"), ":material/image_search:"),
        ("results/evaluate.py", N_("Evaluate"), ":material/query_stats:"),
        ("results/compare.py", N_("Compare"), ":material/compare_arrows:"),
        ("results/batch.py", N_("Batch prediction"), ":material/stacks:"),
        ("results/review.py", N_("Review labels"), ":material/rate_review:"),
        ("results/read.py", N_("Reader study"), ":material/visibility:"),
        ("results/follow_up.py", N_("Follow-up"), ":material/timeline:"),
    ],
    N_("Learn"): [
        ("learn/network.py", N_("How the network sees"), ":material/school:")
    ],
    N_("System"): [("system/status.py", N_("Status"), ":material/memory:")],
}
PRESENTER = "presenter/present.py"
presenting = "present" in st.query_params
presenter = st.Page(
    ROOT / PRESENTER, title=_("Presenter mode"), url_path="present", visibility="hidden"
)
page = st.navigation(
    {
        section and _(section): [
            st.Page(
                ROOT / path,
                title=_(title),
                icon=icon,
                url_path=Path(path).stem,
                default=section == "",
            )
            for path, title, icon in pages
        ]
        for section, pages in SECTIONS.items()
    }
    | {_("Presenter"): [presenter]},
    position="hidden" if presenting else "sidebar",
    # Else whole sections hide behind "View 3 more".
    expanded=True,
)
if page.url_path:
    st.set_page_config(f"{page.title} · MedModel")
# First of all: what stands below a page is gone while a longer one is drawn again.
not_for_clinical_use()
if presenting:
    enter_presenter_mode(page, presenter)
else:
    offer_presenter_mode(page, presenter)
# What a page did not expect to be damaged ends the page, not what stands below it.
with errors_shown():
    page.run()
offer_languages(page.url_path, below_menu=not presenting)
mend_history()
follow_theme()
