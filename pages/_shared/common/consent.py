"""Not for clinical use: agreed to once per session, before any image is shown."""

from __future__ import annotations

import streamlit as st

from medmodel.core import audit
from pages._shared.common.keyboard import primary_button


def ask_consent(page: str) -> bool:
    """Whether the user has agreed; asks on the page if not.

    Args:
        page: Where it is asked, for the audit log.
    """
    if st.session_state.get("consent"):
        return True
    with st.container(border=True):
        st.markdown(
            "#### Before you start\n"
            "MedModel is **not for clinical use**. It is for research and teaching: "
            "a model's score is not a diagnosis, and nothing shown here may decide "
            "about a patient.\n\n"
            "Images that you upload stay in this server's memory, are not saved, and "
            "are forgotten when you close the page."
        )
        if primary_button("I understand", "Enter"):
            st.session_state["consent"] = True
            audit.record("consent", page=page)
            st.rerun()
    return False
