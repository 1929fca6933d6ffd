"""The way into presenter mode: the key P on every page, or ?present= in the address."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from medmodel.language import _
from pages._shared.presenter import room_view

STEP_OF = {
    "datasets": "data",
    "train": "train",
    "runs": "curves",
    "diagnose": "diagnose",
    "evaluate": "compare",
    "compare": "compare",
    "read": "read",
}
"""Address of a page -> step of the demo that it stands for; others: the first."""
CARRIED = ("run", "runs", "dataset")
"""What of a page's address the presenter mode takes over."""


def enter_presenter_mode(page: StreamlitPage, presenter: StreamlitPage) -> None:
    """Opens presenter mode where another page's address asks for it."""
    if page != presenter:
        st.switch_page(presenter, query_params=st.query_params.to_dict())


def offer_presenter_mode(page: StreamlitPage, presenter: StreamlitPage) -> None:
    """The button in the sidebar, with its key; phones no longer see the last slide."""
    room_view.pause()
    # Else the button touches the line below the menu; more room than this would push
    # the choice of languages off a screen of 1080 lines.
    with st.sidebar.container(gap=None):
        st.space("xxsmall")
        pressed = st.button(
            _("Present"),
            icon=":material/present_to_all:",
            shortcut="P",
            help=_(
                "One thing large, arrow keys through a demo; phones in the room may "
                "follow."
            ),
        )
    if pressed:
        carried = {k: v for k, v in st.query_params.to_dict().items() if k in CARRIED}
        step = STEP_OF.get(page.url_path, "data")
        st.switch_page(presenter, query_params={"present": step, **carried})
