"""The browser's address, completed without an entry in its history."""

from __future__ import annotations

import streamlit as st

from medmodel.core.environment import asset_text


def show_in_address(page: str, name: str, value: str) -> None:
    """Writes a query parameter that the page's address lacks.

    Streamlit's own `st.query_params` makes an entry in the browser's history: Back
    would lead to the same page without the parameter, which would be written again.

    Args:
        page: The page's path in the address; another page's is left alone.
        name: The parameter.
        value: Its value.
    """
    component = st.components.v2.component("address", js=asset_text("address.js"))
    component(data={"page": page, "name": name, "value": value}, key=f"address-{name}")
