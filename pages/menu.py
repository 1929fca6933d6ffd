"""The table of contents: name, logo, sections and pages."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages._shared.common.widgets import not_for_clinical_use
from pages._shared.presenter.entry import enter_presenter_mode, offer_presenter_mode

ROOT = Path(__file__).resolve().parent
ASSETS = ROOT.parent / "assets"

SIDEBAR = 256
"""Width of the menu in pixels: a projector has 1,280."""

st.set_page_config(
    "MedModel",
    page_icon=ASSETS / "icon.png",
    layout="wide",
    initial_sidebar_state=SIDEBAR,
)
st.logo(ASSETS / "logo.svg", size="large", icon_image=ASSETS / "icon.svg")
SECTIONS = {
    "": [("home/start.py", "Start", ":material/home:")],
    "Data": [
        ("data/datasets.py", "Data sets", ":material/folder_open:"),
        ("data/enhance.py", "Enhance", ":material/tune:"),
        ("data/privacy.py", "Privacy", ":material/shield_person:"),
    ],
    "Models": [
        ("models/train.py", "Train", ":material/play_circle:"),
        ("models/runs.py", "Runs", ":material/monitoring:"),
    ],
    "Results": [
        ("results/diagnose.py", "Diagnose", ":material/image_search:"),
        ("results/evaluate.py", "Evaluate", ":material/query_stats:"),
        ("results/compare.py", "Compare", ":material/compare_arrows:"),
    ],
    "Learn": [("learn/network.py", "How the network sees", ":material/school:")],
    "System": [("system/status.py", "Status", ":material/memory:")],
}
PRESENTER = "presenter/present.py"
presenting = "present" in st.query_params
presenter = st.Page(
    ROOT / PRESENTER, title="Presenter mode", url_path="present", visibility="hidden"
)
page = st.navigation(
    {
        section: [
            st.Page(
                ROOT / path,
                title=title,
                icon=icon,
                url_path=Path(path).stem,
                default=section == "",
            )
            for path, title, icon in pages
        ]
        for section, pages in SECTIONS.items()
    }
    | {"Presenter": [presenter]},
    position="hidden" if presenting else "sidebar",
)
if page.title != "Start":
    st.set_page_config(f"{page.title} · MedModel")
if presenting:
    enter_presenter_mode(page, presenter)
else:
    offer_presenter_mode(page, presenter)
page.run()
not_for_clinical_use()
