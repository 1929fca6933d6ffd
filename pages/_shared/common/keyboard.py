"""A primary button with a key, without the key's faint name on it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from medmodel.core.environment import asset_text
from medmodel.language import _


def primary_button(
    label: str,
    keys: str,
    *,
    icon: str | None = None,
    disabled: bool = False,
    help: str = "",
) -> bool:
    """Whether the button or its key was pressed.

    Streamlit's own `shortcut` writes the key onto the button in white of 60 % opacity,
    which stays below 4.5 : 1 on every accent colour that a dark page can have.

    Args:
        label: What stands on the button.
        keys: A key or a chord: `Enter`, `Ctrl+Enter`.
        icon: Its icon.
        disabled: Whether neither does anything.
        help: What more there is to know; the key is named after it.
    """
    key = _("Key: {key}.", key=keys)
    tip = f"{help} {key}" if help else key
    # Else the component, unseen, would have a place of its own in a row of buttons.
    with st.container(gap=None, width="content"):
        clicked = st.button(
            label, type="primary", icon=icon, disabled=disabled, help=tip
        )
        return clicked or (not disabled and _pressed(label, keys))


def key_button(
    label: str,
    keys: str,
    on_press: Callable[[], None],
    *,
    of: str = "",
    icon: str | None = None,
    disabled: bool = False,
) -> None:
    """As `primary_button`, of several equal ones; the key belongs onto the label.

    Args:
        label: What stands on the button.
        keys: A key or a chord.
        on_press: Called as it was given when the button was drawn: what the page shows
            may have changed since, by another key or in another tab.
        of: What it is about. That of something else is another button: a press that
            comes late is never taken for it.
        icon: Its icon.
        disabled: Whether neither does anything.
    """
    with st.container(gap=None):  # the component takes no room of its own
        st.button(
            label,
            key=f"button-{of}-{label}" if of else None,
            icon=icon,
            disabled=disabled,
            width="stretch",
            on_click=on_press,
        )
        if not disabled:
            _pressed(label, keys, of, on_press)


def _pressed(
    label: str, keys: str, of: str = "", on_press: Callable[[], None] = lambda: None
) -> bool:
    component = st.components.v2.component("shortcut", js=asset_text("shortcut.js"))
    answer = component(
        data={"keys": keys},
        key=f"shortcut-{keys}-{label}-{of}",
        # Beside it stand other buttons of its row.
        width=1,
        height=1,
        on_pressed_change=on_press,
    )
    return bool(answer.pressed)
