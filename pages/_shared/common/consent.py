"""Not for clinical use: agreed to once per browser session, before images are shown."""

from __future__ import annotations

import streamlit as st

from medmodel.core import audit
from medmodel.core.environment import asset_text
from medmodel.language import _
from pages._shared.common.keyboard import primary_button

_COOKIE = "medmodel-consent"


def _keep_until_browser_closes() -> None:
    """A reload is a new session for Streamlit: a cookie without an end tells it."""
    component = st.components.v2.component("consent", js=asset_text("consent.js"))
    component(data={"cookie": _COOKIE}, key="consent-cookie")


def ask_consent(page: str) -> bool:
    """Whether the user has agreed; asks on the page if not.

    Args:
        page: Where it is asked, for the audit log.
    """
    remembered = st.context.cookies.get(_COOKIE) == "yes"
    if remembered or st.session_state.get("consent"):
        if not remembered:
            _keep_until_browser_closes()
        return True
    with st.container(border=True):
        st.markdown(
            _(
                "#### Before you start\nMedModel is **not for clinical use**. It is "
                "for research and teaching: a model's score is not a diagnosis, "
                "and nothing shown here may decide about a patient.\n\nImages that "
                "you upload stay in this server's memory, are not saved, and are "
                "forgotten when you close the page."
            )
        )
        if primary_button(_("I understand"), "Enter"):
            st.session_state["consent"] = True
            audit.record("consent", page=page)
            st.rerun()
    return False
